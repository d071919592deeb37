import React, { useMemo } from "react";
import { AbsoluteFill, interpolate, random, useCurrentFrame, useVideoConfig } from "remotion";

const COUNT = __many__ + __amount__ / 10;
const SEED = "__word__ __amount__";

type Particle = { x: number; y: number; r: number; speed: number; color: string };

export default function __name__() {
  const frame = useCurrentFrame();
  const { width, height, durationInFrames } = useVideoConfig();
  const particles = useMemo<Particle[]>(
    () =>
      Array.from({ length: Math.floor(COUNT) }, (_, i) => ({
        x: random(`${SEED}x${i}`) * width,
        y: random(`${SEED}y${i}`) * height,
        r: 1 + random(`${SEED}r${i}`) * __stagger__,
        speed: __mass__ + random(`${SEED}s${i}`) * __mass2__,
        color: random(`${SEED}c${i}`) > 0.__percent__ ? "__accent__" : "__accent2__",
      })),
    [width, height],
  );
  const fade = interpolate(frame, [0, __fade__, durationInFrames - __fade2__, durationInFrames], [0, 1, 1, 0]);

  return (
    <AbsoluteFill style={{ backgroundColor: "__paper__" }}>
      <svg width={width} height={height} style={{ opacity: fade }}>
        {particles.map((p, i) => (
          <circle
            key={i}
            cx={p.x + Math.sin((frame + i * 7) / __many2__) * __shift__}
            cy={(p.y - frame * p.speed + height * 4) % height}
            r={p.r}
            fill={p.color}
          />
        ))}
      </svg>
      <AbsoluteFill style={{ alignItems: "center", justifyContent: "center", fontFamily: "__font__" }}>
        <span style={{ color: "__ink__", fontSize: __size__, fontWeight: __weight__, letterSpacing: "0.0__few__em" }}>__headline__</span>
      </AbsoluteFill>
    </AbsoluteFill>
  );
}
