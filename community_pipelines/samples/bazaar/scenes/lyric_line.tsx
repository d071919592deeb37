import React from "react";
import { AbsoluteFill, Easing, interpolate, useCurrentFrame, useVideoConfig } from "remotion";

const LYRICS = [
  { from: 0, text: "__phrase__" },
  { from: __stretch__, text: "__phrase2__" },
  { from: __stretch__ + __stretch2__, text: "__phrase3__" },
];

export default function __name__() {
  const frame = useCurrentFrame();
  const { height } = useVideoConfig();
  const current = LYRICS.reduce((found, line, index) => (frame >= line.from ? index : found), 0);
  const beat = Math.abs(Math.sin((frame / __many__) * Math.PI));

  return (
    <AbsoluteFill
      style={{
        background: `radial-gradient(circle at 50% ${__percent__ - beat * __few__}%, __accent__, __paper__ ${40 + beat * __tilt__}%)`,
        fontFamily: "__font__",
      }}
    >
      {LYRICS.map((line, index) => {
        const away = interpolate(frame, [line.from - __fade__, line.from], [1, 0], {
          extrapolateLeft: "clamp",
          extrapolateRight: "clamp",
          easing: __ease__,
        });
        return (
          <div
            key={index}
            style={{
              position: "absolute",
              left: __pad__,
              right: __pad__,
              top: height / 2 + (index - current + away) * (__size__ + __gap__) - __size__ / 2,
              textAlign: "__align__",
              color: "__ink__",
              fontSize: __size__ * 0.8,
              fontWeight: index === current ? 800 : 400,
              opacity: index === current ? 1 : 0.35,
            }}
          >
            {line.text}
          </div>
        );
      })}
    </AbsoluteFill>
  );
}
