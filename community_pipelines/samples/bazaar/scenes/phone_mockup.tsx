import React from "react";
import { AbsoluteFill, Img, interpolate, spring, staticFile, useCurrentFrame, useVideoConfig } from "remotion";
import { BatteryFull, Signal, Wifi } from "lucide-react";

export default function __name__() {
  const frame = useCurrentFrame();
  const { fps } = useVideoConfig();
  const rise = spring({ frame: frame - __delay__, fps, config: { damping: __damping__, stiffness: __stiffness__, mass: __mass__ } });
  const scroll = interpolate(frame, [__stretch__, __stretch__ + 90], [0, -__length__], {
    extrapolateLeft: "clamp",
    extrapolateRight: "clamp",
  });
  const sway = Math.sin(frame / __many__) * __tilt__;

  return (
    <AbsoluteFill
      style={{
        background: "linear-gradient(__angle__deg, __accent__, __accent2__)",
        alignItems: "center",
        justifyContent: "center",
        perspective: 1400,
        fontFamily: "__font__",
      }}
    >
      <div
        style={{
          width: 420,
          height: 860,
          padding: 14,
          borderRadius: 48 + __radius__ / 2,
          backgroundColor: "#0b0b0f",
          boxShadow: "0 __gap__px 120px rgba(0, 0, 0, 0.4)",
          transform: `translateY(${(1 - rise) * 900}px) rotateY(${sway}deg)`,
        }}
      >
        <div style={{ height: "100%", overflow: "hidden", borderRadius: 40, backgroundColor: "__paper__", color: "__ink__" }}>
          <div style={{ display: "flex", gap: 8, padding: "14px 24px", alignItems: "center" }}>
            <span style={{ marginRight: "auto", fontWeight: 600 }}>9:41</span>
            <Signal size={18} />
            <Wifi size={18} />
            <BatteryFull size={20} />
          </div>
          <div style={{ transform: `translateY(${scroll}px)` }}>
            <h3 style={{ fontSize: __text__, padding: "0 24px" }}>__phrase__</h3>
            {["home", "detail", "share"].map((screen) => (
              <Img key={screen} src={staticFile(`screens/${screen}.png`)} style={{ width: "100%", marginBottom: __gap__ }} />
            ))}
          </div>
        </div>
      </div>
    </AbsoluteFill>
  );
}
