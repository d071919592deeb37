import React from "react";
import { AbsoluteFill, interpolate, spring, useCurrentFrame, useVideoConfig } from "remotion";
import { CheckCircle2, Circle } from "lucide-react";

const ITEMS: string[] = ["__phrase__", "__phrase2__", "__phrase3__", "__line__"];
const EVERY = __fade__;

export default function __name__() {
  const frame = useCurrentFrame();
  const { fps } = useVideoConfig();

  return (
    <AbsoluteFill style={{ backgroundColor: "__paper__", padding: __pad__, justifyContent: "center", fontFamily: "__font__", color: "__ink__" }}>
      <h2 style={{ fontSize: __text__ + 30, fontWeight: __weight__, marginBottom: __gap2__ }}>__headline__</h2>
      {ITEMS.map((item, index) => {
        const local = frame - __delay__ - index * EVERY;
        const enter = interpolate(local, [0, 12], [0, 1], { extrapolateLeft: "clamp", extrapolateRight: "clamp" });
        const tick = spring({ frame: local - 10, fps, config: { damping: __damping__, stiffness: __stiffness__ } });
        const Icon = tick > 0.5 ? CheckCircle2 : Circle;
        return (
          <div
            key={item}
            style={{
              display: "flex",
              alignItems: "center",
              gap: __gap__,
              marginBottom: __gap__,
              opacity: enter,
              transform: `translateY(${(1 - enter) * __shift__}px)`,
            }}
          >
            <Icon size={__text__ + 14} color={tick > 0.5 ? "__accent__" : "__ink__"} style={{ transform: `scale(${0.8 + tick * 0.2})` }} />
            <span style={{ fontSize: __text__ + 4, textDecoration: tick > 0.95 && index < __few__ ? "none" : undefined }}>{item}</span>
          </div>
        );
      })}
    </AbsoluteFill>
  );
}
