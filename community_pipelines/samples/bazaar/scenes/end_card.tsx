import React from "react";
import { AbsoluteFill, interpolate, spring, useCurrentFrame, useVideoConfig } from "remotion";
import { ArrowRight } from "lucide-react";

const LINK = "__site__";

export default function __name__() {
  const frame = useCurrentFrame();
  const { fps, durationInFrames } = useVideoConfig();
  const enter = spring({ frame, fps, config: { damping: __damping__, stiffness: __stiffness__ } });
  const button = spring({ frame: frame - __fade__, fps, config: { damping: __damping2__, mass: __mass__ } });
  const nudge = Math.sin(frame / __stagger__) * __tilt__;
  const dark = interpolate(frame, [durationInFrames - 10, durationInFrames - 1], [0, 1], { extrapolateLeft: "clamp" });

  return (
    <AbsoluteFill
      style={{
        background: "conic-gradient(from __angle__deg at __percent__% __percent2__%, __paper__, __soft__, __paper__)",
        alignItems: "center",
        justifyContent: "center",
        fontFamily: "__font__",
      }}
    >
      <div style={{ fontSize: __size__, fontWeight: __weight__, color: "__ink__", opacity: enter, textAlign: "center" }}>__cta__</div>
      <div
        style={{
          display: "flex",
          alignItems: "center",
          gap: 16,
          marginTop: __gap2__,
          padding: "__gap__px __pad__px",
          borderRadius: 999,
          backgroundColor: "__accent__",
          color: "#fff",
          fontSize: __text__ + 6,
          transform: `scale(${button})`,
        }}
      >
        {LINK}
        <ArrowRight size={__text__ + 6} style={{ transform: `translateX(${nudge}px)` }} />
      </div>
      <div style={{ position: "absolute", bottom: __pad__ / 2, color: "__ink__", opacity: 0.6, fontSize: __text2__ }}>
        __handle__
      </div>
      <AbsoluteFill style={{ backgroundColor: "#000", opacity: dark }} />
    </AbsoluteFill>
  );
}
