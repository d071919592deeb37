import React from "react";
import { AbsoluteFill, interpolate, spring, useCurrentFrame, useVideoConfig } from "remotion";

const FROM = __few__ + 1;

export default function __name__() {
  const frame = useCurrentFrame();
  const { fps } = useVideoConfig();
  const second = Math.floor(frame / fps);
  const left = FROM - second;
  const inSecond = frame % fps;
  const pop = spring({ frame: inSecond, fps, config: { damping: __damping__, stiffness: __stiffness__ } });
  const ring = interpolate(inSecond, [0, fps], [0, 2 * Math.PI * __length__]);

  return (
    <AbsoluteFill style={{ backgroundColor: left % 2 === 0 ? "__paper__" : "__soft__", alignItems: "center", justifyContent: "center" }}>
      <svg width={__length__ * 2 + 60} height={__length__ * 2 + 60} style={{ position: "absolute" }}>
        <circle
          cx={__length__ + 30}
          cy={__length__ + 30}
          r={__length__}
          fill="none"
          stroke="__accent__"
          strokeWidth={__bar__}
          strokeDasharray={2 * Math.PI * __length__}
          strokeDashoffset={ring}
        />
      </svg>
      <div
        style={{
          fontFamily: "__font__",
          fontSize: __size__ * 2,
          fontWeight: __weight__,
          color: "__ink__",
          transform: `scale(${0.6 + 0.4 * pop})`,
        }}
      >
        {left > 0 ? left : "__word__!"}
      </div>
      <div style={{ position: "absolute", bottom: __pad__, fontSize: __text__, color: "__accent2__" }}>__headline__</div>
    </AbsoluteFill>
  );
}
