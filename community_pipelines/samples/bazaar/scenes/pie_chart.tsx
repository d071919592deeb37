import React from "react";
import { AbsoluteFill, Easing, interpolate, useCurrentFrame } from "remotion";
import { Pie } from "@remotion/shapes";

const SLICES = [
  { label: "__label__", share: __percent__, color: "__accent__" },
  { label: "__label2__", share: __percent2__, color: "__accent2__" },
  { label: "__label3__", share: __percent3__, color: "__accent3__" },
];
const TOTAL = SLICES.reduce((sum, slice) => sum + slice.share, 0);

export default function __name__() {
  const frame = useCurrentFrame();
  const open = interpolate(frame, [__delay__, __delay__ + __stretch__], [0, 1], {
    extrapolateLeft: "clamp",
    extrapolateRight: "clamp",
    easing: __ease__,
  });
  let turned = 0;

  return (
    <AbsoluteFill style={{ backgroundColor: "__paper__", color: "__ink__", fontFamily: "__font__", flexDirection: "row", alignItems: "center", padding: __pad__ }}>
      <div style={{ position: "relative", width: 2 * __length__, height: 2 * __length__ }}>
        {SLICES.map((slice) => {
          const share = slice.share / TOTAL;
          const rotation = turned * Math.PI * 2;
          turned += share;
          return (
            <Pie
              key={slice.color}
              radius={__length__}
              progress={share * open}
              rotation={rotation}
              fill={slice.color}
              stroke="__paper__"
              strokeWidth={__hair__}
              style={{ position: "absolute", inset: 0 }}
            />
          );
        })}
      </div>
      <div style={{ marginLeft: __pad2__, opacity: open }}>
        <h2 style={{ fontSize: __text__ + 16, fontWeight: __weight__ }}>__headline__</h2>
        {SLICES.map((slice) => (
          <div key={slice.color} style={{ display: "flex", alignItems: "center", gap: 16, fontSize: __text__, marginTop: __gap__ }}>
            <div style={{ width: 28, height: 28, borderRadius: __radius__ / 4, backgroundColor: slice.color }} />
            {slice.label}: {Math.round((slice.share / TOTAL) * 100)}%
          </div>
        ))}
      </div>
    </AbsoluteFill>
  );
}
