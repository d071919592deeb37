import React from "react";
import { AbsoluteFill, Easing, interpolate, spring, useCurrentFrame, useVideoConfig } from "remotion";
import { Tag } from "lucide-react";

const BEFORE = __amount__ + __percent__;
const NOW = __amount__;

export default function __name__() {
  const frame = useCurrentFrame();
  const { fps } = useVideoConfig();
  const strike = interpolate(frame, [__delay__ + 10, __delay__ + 10 + __fade__], [0, 100], {
    extrapolateLeft: "clamp",
    extrapolateRight: "clamp",
    easing: __ease__,
  });
  const drop = spring({ frame: frame - __delay__ - __stretch__, fps, config: { damping: __damping__, mass: __mass__ } });

  return (
    <AbsoluteFill style={{ backgroundColor: "__paper__", alignItems: "center", justifyContent: "center", fontFamily: "__font__" }}>
      <Tag size={__size__} color="__accent__" style={{ transform: `rotate(${Math.sin(frame / __stagger__) * __tilt__}deg)` }} />
      <div style={{ fontSize: __text__ + 10, color: "__ink__", marginTop: __gap__ }}>__title__</div>
      <div style={{ position: "relative", fontSize: __size__ * 0.6, color: "__ink__", opacity: 0.6 }}>
        ${BEFORE}
        <div style={{ position: "absolute", top: "52%", left: 0, height: 5, width: `${strike}%`, backgroundColor: "__accent2__" }} />
      </div>
      <div
        style={{
          fontSize: __size__ * 1.4,
          fontWeight: __weight__,
          color: "__accent__",
          transform: `translateY(${(1 - drop) * -__shift__}px) scale(${drop})`,
        }}
      >
        ${NOW}
      </div>
      <div style={{ padding: "12px __gap2__px", borderRadius: __radius__, backgroundColor: "__accent__", color: "#fff", fontSize: __text__ }}>
        __cta__
      </div>
    </AbsoluteFill>
  );
}
