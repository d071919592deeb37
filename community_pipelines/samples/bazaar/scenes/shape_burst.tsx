import React from "react";
import { AbsoluteFill, random, spring, useCurrentFrame, useVideoConfig } from "remotion";
import { Circle, Star, Triangle } from "@remotion/shapes";

const SHAPES = __many__;
const COLORS = ["__accent__", "__accent2__", "__accent3__", "__ink__"];

export default function __name__() {
  const frame = useCurrentFrame();
  const { fps } = useVideoConfig();
  const burst = spring({ frame: frame - __delay__, fps, durationInFrames: __stretch__ * 2, config: { damping: __damping__ } });

  return (
    <AbsoluteFill style={{ backgroundColor: "__paper__" }}>
      {Array.from({ length: SHAPES }, (_, index) => {
        const angle = random(`__word__${index}`) * Math.PI * 2;
        const far = burst * (__length__ + random(`far${index}`) * __amount__);
        const fill = COLORS[index % COLORS.length];
        const style: React.CSSProperties = {
          position: "absolute",
          left: "50%",
          top: "50%",
          transform: `translate(${Math.cos(angle) * far}px, ${Math.sin(angle) * far}px) rotate(${frame * __mass__}deg)`,
        };
        if (index % 3 === 0) {
          return <Circle key={index} radius={__stagger__ + 4} fill={fill} style={style} />;
        }
        return index % 3 === 1 ? (
          <Star key={index} points={5} innerRadius={8} outerRadius={__gap__} fill={fill} style={style} />
        ) : (
          <Triangle key={index} length={__gap2__} direction="up" fill={fill} style={style} />
        );
      })}
      <AbsoluteFill style={{ alignItems: "center", justifyContent: "center" }}>
        <div style={{ fontFamily: "__font__", fontSize: __size__ + 20, fontWeight: __weight__, color: "__ink__", transform: `scale(${burst})` }}>
          __word2__!
        </div>
      </AbsoluteFill>
    </AbsoluteFill>
  );
}
