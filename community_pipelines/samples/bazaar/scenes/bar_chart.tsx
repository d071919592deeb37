import React from "react";
import { AbsoluteFill, spring, useCurrentFrame, useVideoConfig } from "remotion";

interface Bar {
  label: string;
  value: number;
}

const BARS: Bar[] = [
  { label: "__label__", value: __percent__ },
  { label: "__label2__", value: __percent2__ },
  { label: "__label3__", value: __percent3__ },
  { label: "__label4__", value: __percent4__ },
  { label: "__label5__", value: __percent5__ },
];
const COLORS = ["__accent__", "__accent2__", "__accent3__"];
const HEIGHT = __length__ + 200;

export default function __name__() {
  const frame = useCurrentFrame();
  const { fps } = useVideoConfig();
  const most = Math.max(...BARS.map((bar) => bar.value));

  return (
    <AbsoluteFill style={{ backgroundColor: "__paper__", padding: __pad__, fontFamily: "__font__", color: "__ink__" }}>
      <h2 style={{ fontSize: __text__ + 24, fontWeight: __weight__, margin: 0 }}>__title__</h2>
      <div style={{ display: "flex", alignItems: "flex-end", gap: __gap__, height: HEIGHT, marginTop: "auto" }}>
        {BARS.map((bar, index) => {
          const grow = spring({
            frame: frame - __delay__ - index * __stagger__,
            fps,
            config: { damping: __damping__, stiffness: __stiffness__ },
          });
          return (
            <div key={bar.label + index} style={{ flex: 1, textAlign: "center" }}>
              <div style={{ fontSize: __text__, opacity: grow }}>{Math.round(bar.value * grow)}%</div>
              <div
                style={{
                  height: (bar.value / most) * (HEIGHT - 120) * grow,
                  borderRadius: "__radius__px __radius__px 0 0",
                  backgroundColor: COLORS[index % COLORS.length],
                }}
              />
              <div style={{ fontSize: __text2__, marginTop: 12 }}>{bar.label}</div>
            </div>
          );
        })}
      </div>
    </AbsoluteFill>
  );
}
