import React from "react";
import { AbsoluteFill, Easing, interpolate, useCurrentFrame } from "remotion";

const TARGET = __amount__ * __many__;

const format = (value: number): string => Math.round(value).toLocaleString("en-US");

export default function __name__() {
  const frame = useCurrentFrame();
  const value = interpolate(frame, [__delay__, __delay__ + __stretch__ * 2], [0, TARGET], {
    extrapolateLeft: "clamp",
    extrapolateRight: "clamp",
    easing: __ease__,
  });
  const done = value >= TARGET;
  const pulse = done ? 1 + Math.sin(frame / __stagger__) * 0.0__few__ : 1;

  return (
    <AbsoluteFill
      style={{
        background: "radial-gradient(circle at __percent__% __percent2__%, __soft__, __paper__)",
        alignItems: "center",
        justifyContent: "center",
        fontFamily: "__font__",
        color: "__ink__",
      }}
    >
      <div style={{ fontSize: __text__, textTransform: "uppercase", letterSpacing: "0.2em", opacity: 0.7 }}>
        __label__
      </div>
      <div
        style={{
          fontSize: __size__ + 60,
          fontWeight: __weight__,
          fontVariantNumeric: "tabular-nums",
          color: done ? "__accent__" : "__ink__",
          transform: `scale(${pulse})`,
        }}
      >
        {format(value)}
        <span style={{ color: "__accent2__" }}>+</span>
      </div>
      <div style={{ fontSize: __text2__, marginTop: __gap__ }}>__line__</div>
    </AbsoluteFill>
  );
}
