import React from "react";
import { AbsoluteFill, Easing, interpolate, useCurrentFrame, useVideoConfig } from "remotion";

const SIDES = [
  { word: "__word__", text: "__phrase__", background: "__accent__", color: "#ffffff" },
  { word: "__word2__", text: "__phrase2__", background: "__soft__", color: "__ink__" },
];

export default function __name__() {
  const frame = useCurrentFrame();
  const { width, height } = useVideoConfig();
  const portrait = height > width;
  const open = interpolate(frame, [__delay__, __delay__ + __stretch__], [1, 0], {
    extrapolateLeft: "clamp",
    extrapolateRight: "clamp",
    easing: __ease__,
  });

  return (
    <AbsoluteFill style={{ flexDirection: portrait ? "column" : "row", backgroundColor: "__paper__" }}>
      {SIDES.map((side, index) => {
        const away = (index === 0 ? -1 : 1) * open * 100;
        return (
          <div
            key={side.word}
            style={{
              flex: 1,
              display: "flex",
              flexDirection: "column",
              alignItems: "center",
              justifyContent: "center",
              padding: __pad__ / 2,
              backgroundColor: side.background,
              color: side.color,
              fontFamily: "__font__",
              transform: portrait ? `translateY(${away}%)` : `translateX(${away}%)`,
            }}
          >
            <div style={{ fontSize: __size__, fontWeight: __weight__ }}>{side.word}</div>
            <div style={{ fontSize: __text__, marginTop: __gap__, textAlign: "center" }}>{side.text}</div>
          </div>
        );
      })}
    </AbsoluteFill>
  );
}
