import React from "react";
import { AbsoluteFill, Easing, interpolate, spring, useCurrentFrame, useVideoConfig } from "remotion";

const STEPS = [
  { when: "20__year__", what: "__phrase__" },
  { when: "__month__", what: "__phrase2__" },
  { when: "__month2__", what: "__phrase3__" },
  { when: "Today", what: "__headline__" },
] as const;

export default function __name__() {
  const frame = useCurrentFrame();
  const { fps, height } = useVideoConfig();
  const drawn = interpolate(frame, [__delay__, __delay__ + STEPS.length * __fade__], [0, height - 2 * __pad__], {
    extrapolateLeft: "clamp",
    extrapolateRight: "clamp",
    easing: __ease__,
  });

  return (
    <AbsoluteFill style={{ backgroundColor: "__paper__", color: "__ink__", fontFamily: "__font__" }}>
      <div style={{ position: "absolute", left: __pad__ + 10, top: __pad__, width: __hair__ + 2, height: drawn, backgroundColor: "__accent__" }} />
      {STEPS.map((step, index) => {
        const appear = spring({ frame: frame - __delay__ - index * __fade__, fps, config: { damping: __damping__ } });
        return (
          <div
            key={step.when}
            style={{
              position: "absolute",
              top: __pad__ + (index * (height - 2 * __pad__)) / STEPS.length,
              left: __pad__,
              display: "flex",
              alignItems: "center",
              gap: __gap__,
              opacity: appear,
              transform: `translateX(${(1 - appear) * __shift__}px)`,
            }}
          >
            <div style={{ width: 24, height: 24, borderRadius: 12, backgroundColor: "__accent2__", transform: `scale(${appear})` }} />
            <div>
              <div style={{ fontSize: __text__, color: "__accent__", fontWeight: __weight__ }}>{step.when}</div>
              <div style={{ fontSize: __text2__ + 8 }}>{step.what}</div>
            </div>
          </div>
        );
      })}
    </AbsoluteFill>
  );
}
