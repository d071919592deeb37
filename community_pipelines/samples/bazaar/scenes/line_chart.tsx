import React, { useMemo } from "react";
import { AbsoluteFill, Easing, interpolate, useCurrentFrame, useVideoConfig } from "remotion";
import { evolvePath } from "@remotion/paths";

const POINTS = [__percent__, __percent2__, __percent3__, __percent4__, __percent5__, __percent6__, __percent7__];
const MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul"];

export default function __name__() {
  const frame = useCurrentFrame();
  const { width, height } = useVideoConfig();
  const left = __pad__;
  const top = __pad2__ + 80;
  const inner = { width: width - 2 * left, height: height - 2 * top };

  const path = useMemo(() => {
    const step = inner.width / (POINTS.length - 1);
    return POINTS.map((value, index) => {
      const x = left + index * step;
      const y = top + inner.height * (1 - value / 100);
      return `${index === 0 ? "M" : "L"} ${x} ${y}`;
    }).join(" ");
  }, [inner.width, inner.height, left, top]);

  const progress = interpolate(frame, [__delay__, __delay__ + __stretch__ * 2], [0, 1], {
    extrapolateLeft: "clamp",
    extrapolateRight: "clamp",
    easing: __ease__,
  });
  const line = evolvePath(progress, path);

  return (
    <AbsoluteFill style={{ backgroundColor: "__paper__", fontFamily: "__font__" }}>
      <div style={{ position: "absolute", top: __gap__ + 20, left, color: "__ink__", fontSize: __text__ + 18, fontWeight: __weight__ }}>
        __headline__
      </div>
      <svg width={width} height={height}>
        {[0, 25, 50, 75, 100].map((tick) => (
          <line
            key={tick}
            x1={left}
            x2={width - left}
            y1={top + inner.height * (1 - tick / 100)}
            y2={top + inner.height * (1 - tick / 100)}
            stroke="__ink__"
            strokeOpacity={0.12}
          />
        ))}
        <path d={path} fill="none" stroke="__accent__" strokeWidth={__bar__} strokeLinecap="round" {...line} />
        {MONTHS.map((month, index) => (
          <text key={month} x={left + (index * inner.width) / 6} y={height - top + 50} fill="__ink__" fontSize={__text2__}>
            {month}
          </text>
        ))}
      </svg>
    </AbsoluteFill>
  );
}
