import React from "react";
import { AbsoluteFill, Easing, interpolate, spring, useCurrentFrame, useVideoConfig } from "remotion";

const TITLE = "__title__";
const SUBTITLE = "__line__";

export default function __name__() {
  const frame = useCurrentFrame();
  const { fps, durationInFrames } = useVideoConfig();

  const enter = spring({ frame: frame - __delay__, fps, config: { damping: __damping__, stiffness: __stiffness__, mass: __mass__ } });
  const subtitle = interpolate(frame, [__delay__ + __fade__, __delay__ + __fade__ + __stretch__], [0, 1], {
    extrapolateLeft: "clamp",
    extrapolateRight: "clamp",
    easing: __ease__,
  });
  const leave = interpolate(frame, [durationInFrames - 12, durationInFrames], [1, 0], { extrapolateLeft: "clamp" });

  return (
    <AbsoluteFill
      style={{
        background: `linear-gradient(__angle__deg, __paper__ 0%, __soft__ 100%)`,
        justifyContent: "center",
        alignItems: "center",
        opacity: leave,
        fontFamily: "__font__",
      }}
    >
      <h1
        style={{
          margin: 0,
          color: "__ink__",
          fontSize: __size__,
          fontWeight: __weight__,
          letterSpacing: "-0.02em",
          textAlign: "center",
          transform: `translateY(${(1 - enter) * __shift__}px) scale(${0.9 + enter * 0.1})`,
          opacity: enter,
        }}
      >
        {TITLE}
      </h1>
      <div
        style={{
          marginTop: __gap__,
          width: `${subtitle * __length__}px`,
          height: 6,
          borderRadius: 3,
          backgroundColor: "__accent__",
        }}
      />
      <p style={{ marginTop: __gap__, color: "__ink__", fontSize: __text__, opacity: subtitle * 0.8 }}>{SUBTITLE}</p>
    </AbsoluteFill>
  );
}
