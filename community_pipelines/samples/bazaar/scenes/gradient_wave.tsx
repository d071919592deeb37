import React from "react";
import { AbsoluteFill, interpolateColors, useCurrentFrame, useVideoConfig } from "remotion";

const WAVES = [
  { amplitude: __shift__, length: __length__, speed: __mass__, opacity: 0.9 },
  { amplitude: __shift2__, length: __length2__, speed: __mass2__, opacity: 0.6 },
  { amplitude: __shift3__, length: __length3__, speed: __mass3__, opacity: 0.35 },
];

export default function __name__() {
  const frame = useCurrentFrame();
  const { width, height, durationInFrames } = useVideoConfig();
  const color = interpolateColors(frame, [0, durationInFrames / 2, durationInFrames], ["__accent__", "__accent2__", "__accent3__"]);

  const wave = (amplitude: number, length: number, speed: number): string => {
    const points: string[] = [`0,${height}`];
    for (let x = 0; x <= width; x += __many__) {
      const y = height * 0.__percent__ + Math.sin(x / length + (frame / 30) * speed) * amplitude;
      points.push(`${x},${y.toFixed(1)}`);
    }
    points.push(`${width},${height}`);
    return points.join(" ");
  };

  return (
    <AbsoluteFill style={{ background: "linear-gradient(__angle__deg, __paper__, __soft__)" }}>
      <svg viewBox={`0 0 ${width} ${height}`} width={width} height={height}>
        {WAVES.map((one, index) => (
          <polygon key={index} points={wave(one.amplitude, one.length, one.speed)} fill={color} opacity={one.opacity} />
        ))}
      </svg>
      <AbsoluteFill style={{ padding: __pad__, fontFamily: "__font__", color: "__ink__" }}>
        <div style={{ fontSize: __size__, fontWeight: __weight__ }}>__headline__</div>
        <div style={{ fontSize: __text__, marginTop: __gap__, maxWidth: 900 }}>__line__</div>
      </AbsoluteFill>
    </AbsoluteFill>
  );
}
