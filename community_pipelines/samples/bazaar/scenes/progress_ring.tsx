import React from "react";
import { AbsoluteFill, Easing, interpolate, useCurrentFrame } from "remotion";

const GOALS = [
  { label: "__label__", percent: __percent__, color: "__accent__" },
  { label: "__label2__", percent: __percent2__, color: "__accent2__" },
  { label: "__label3__", percent: __percent3__, color: "__accent3__" },
];
const RADIUS = __radius__ + 90;
const AROUND = 2 * Math.PI * RADIUS;

function Ring({ label, percent, color, wait }: { label: string; percent: number; color: string; wait: number }) {
  const frame = useCurrentFrame();
  const value = interpolate(frame - wait, [0, __stretch__], [0, percent], {
    extrapolateLeft: "clamp",
    extrapolateRight: "clamp",
    easing: __ease__,
  });
  const side = 2 * RADIUS + 40;
  return (
    <div style={{ textAlign: "center" }}>
      <svg width={side} height={side} style={{ transform: "rotate(-90deg)" }}>
        <circle cx={side / 2} cy={side / 2} r={RADIUS} fill="none" stroke="__soft__" strokeWidth={__bar__} />
        <circle
          cx={side / 2}
          cy={side / 2}
          r={RADIUS}
          fill="none"
          stroke={color}
          strokeWidth={__bar__}
          strokeLinecap="round"
          strokeDasharray={`${(value / 100) * AROUND} ${AROUND}`}
        />
      </svg>
      <div style={{ fontSize: __text__ + 20, fontWeight: __weight__ }}>{Math.round(value)}%</div>
      <div style={{ fontSize: __text2__, opacity: 0.75 }}>{label}</div>
    </div>
  );
}

export default function __name__() {
  return (
    <AbsoluteFill
      style={{
        backgroundColor: "__paper__",
        color: "__ink__",
        fontFamily: "__font__",
        flexDirection: "row",
        alignItems: "center",
        justifyContent: "space-evenly",
        padding: __pad__,
      }}
    >
      {GOALS.map((goal, index) => (
        <Ring key={goal.label + index} {...goal} wait={__delay__ + index * __stagger__} />
      ))}
    </AbsoluteFill>
  );
}
