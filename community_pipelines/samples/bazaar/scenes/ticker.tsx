import React from "react";
import { AbsoluteFill, useCurrentFrame, useVideoConfig } from "remotion";

const NEWS = ["__headline__", "__phrase__", "__line__", "__phrase2__"];
const SPEED = __stagger__;

export default function __name__() {
  const frame = useCurrentFrame();
  const { width } = useVideoConfig();
  const strip = NEWS.join("   •   ");
  const length = strip.length * __text__ * 0.62;
  const offset = -((frame * SPEED) % length);

  return (
    <AbsoluteFill style={{ backgroundColor: "__paper__", fontFamily: "__font__" }}>
      <AbsoluteFill style={{ alignItems: "center", justifyContent: "center" }}>
        <div style={{ fontSize: __size__, color: "__ink__", fontWeight: __weight__ }}>__title__</div>
      </AbsoluteFill>
      {[0, 1].map((row) => (
        <div
          key={row}
          style={{
            position: "absolute",
            [row === 0 ? "top" : "bottom"]: __pad__,
            width: width * 2,
            height: __text__ * 2,
            lineHeight: `${__text__ * 2}px`,
            whiteSpace: "nowrap",
            backgroundColor: row === 0 ? "__accent__" : "__accent2__",
            color: "#fff",
            fontSize: __text__,
            transform: `rotate(${row === 0 ? -__tilt__ : __tilt__}deg) translateX(${row === 0 ? offset : -length - offset}px)`,
          }}
        >
          {strip}   •   {strip}   •   {strip}
        </div>
      ))}
    </AbsoluteFill>
  );
}
