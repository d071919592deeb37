import React from "react";
import { AbsoluteFill, interpolate, spring, useCurrentFrame, useVideoConfig } from "remotion";
import { MapPin } from "lucide-react";

const PLACE = "__place__";
const STREETS = __few__ + 6;

export default function __name__() {
  const frame = useCurrentFrame();
  const { fps, width, height } = useVideoConfig();
  const fall = spring({ frame: frame - __delay__, fps, config: { damping: __damping__, stiffness: __stiffness__, mass: __mass__ } });
  const ripple = interpolate((frame - __delay__) % __many__, [0, __many__], [0, 1], { extrapolateLeft: "clamp" });
  const zoom = interpolate(frame, [0, 150], [1, 1.__few__], { extrapolateRight: "clamp" });

  return (
    <AbsoluteFill style={{ backgroundColor: "__soft__", overflow: "hidden" }}>
      <svg width={width} height={height} style={{ transform: `scale(${zoom}) rotate(-__tilt__deg)` }}>
        {Array.from({ length: STREETS }, (_, index) => (
          <g key={index} stroke="__ink__" strokeOpacity={0.2} strokeWidth={index % 3 === 0 ? __bar__ : 4}>
            <line x1={0} y1={(index * height) / STREETS} x2={width} y2={(index * height) / STREETS + __shift__} />
            <line x1={(index * width) / STREETS} y1={0} x2={(index * width) / STREETS - __shift2__} y2={height} />
          </g>
        ))}
        <circle cx={width / 2} cy={height / 2} r={ripple * __length__} fill="__accent__" opacity={0.4 * (1 - ripple)} />
      </svg>
      <AbsoluteFill style={{ alignItems: "center", justifyContent: "center", fontFamily: "__font__" }}>
        <MapPin size={__size__} color="__accent__" fill="__paper__" style={{ transform: `translateY(${(fall - 1) * 600}px)` }} />
        <div style={{ marginTop: __gap__, padding: "14px 28px", borderRadius: __radius__, backgroundColor: "__paper__", color: "__ink__", opacity: fall }}>
          <div style={{ fontSize: __text__ + 10, fontWeight: __weight__ }}>{PLACE}</div>
          <div style={{ fontSize: __text2__ }}>__month__ __day__, __headline__</div>
        </div>
      </AbsoluteFill>
    </AbsoluteFill>
  );
}
