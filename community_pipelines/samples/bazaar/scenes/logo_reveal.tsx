import React from "react";
import { AbsoluteFill, Img, interpolate, spring, staticFile, useCurrentFrame, useVideoConfig } from "remotion";

const BRAND = "__brand__";

export default function __name__() {
  const frame = useCurrentFrame();
  const { fps } = useVideoConfig();
  const scale = spring({ frame, fps, from: 0, to: 1, config: { damping: __damping__, stiffness: __stiffness__, mass: __mass__ } });
  const rotate = interpolate(scale, [0, 1], [-__angle__ / 4, 0]);
  const reveal = interpolate(frame, [__fade__, __fade__ + __stretch__], [0, 100], {
    extrapolateLeft: "clamp",
    extrapolateRight: "clamp",
  });

  return (
    <AbsoluteFill style={{ backgroundColor: "__paper__", alignItems: "center", justifyContent: "center" }}>
      <div style={{ display: "flex", alignItems: "center", gap: __gap__ }}>
        <Img
          src={staticFile("logo.png")}
          style={{
            width: __length__ / 2,
            height: __length__ / 2,
            borderRadius: __radius__,
            boxShadow: "0 __gap__px __gap2__px __accent__",
            transform: `scale(${scale}) rotate(${rotate}deg)`,
          }}
        />
        <div
          style={{
            clipPath: `inset(0 ${100 - reveal}% 0 0)`,
            color: "__ink__",
            fontFamily: "__font__",
            fontSize: __size__,
            fontWeight: __weight__,
          }}
        >
          {BRAND}
        </div>
      </div>
      <div style={{ opacity: reveal / 100, color: "__accent2__", fontSize: __text__, marginTop: __gap2__ }}>__line__</div>
    </AbsoluteFill>
  );
}
