import React from "react";
import { AbsoluteFill, Easing, interpolate, spring, useCurrentFrame, useVideoConfig } from "remotion";
import { Trophy } from "lucide-react";

type Row = { name: string; points: number };

const ROWS: Row[] = [
  { name: "__person__", points: __amount__ },
  { name: "__person2__", points: __amount2__ },
  { name: "__person3__", points: __amount3__ },
  { name: "__person4__", points: __amount4__ },
].sort((a, b) => b.points - a.points);

export default function __name__() {
  const frame = useCurrentFrame();
  const { fps } = useVideoConfig();
  const counting = interpolate(frame, [__delay__, __delay__ + __stretch__], [0, 1], {
    extrapolateLeft: "clamp",
    extrapolateRight: "clamp",
    easing: __ease__,
  });

  return (
    <AbsoluteFill style={{ backgroundColor: "__paper__", padding: __pad__, color: "__ink__", fontFamily: "__font__" }}>
      <div style={{ display: "flex", alignItems: "center", gap: __gap__, fontSize: __text__ + 24, fontWeight: __weight__ }}>
        <Trophy size={__text__ + 30} color="__accent__" />
        __headline__
      </div>
      {ROWS.map((row, place) => {
        const enter = spring({ frame: frame - (ROWS.length - place) * __stagger__, fps, config: { damping: __damping__, stiffness: __stiffness__ } });
        return (
          <div
            key={row.name + place}
            style={{
              display: "flex",
              marginTop: __gap__,
              padding: "18px 28px",
              borderRadius: __radius__,
              fontSize: __text__,
              backgroundColor: place === 0 ? "__accent__" : "__soft__",
              color: place === 0 ? "#fff" : "__ink__",
              transform: `translateX(${(1 - enter) * 1200}px)`,
            }}
          >
            <span style={{ width: 60 }}>{place + 1}</span>
            <span style={{ flex: 1 }}>{row.name}</span>
            <strong>{Math.round(row.points * counting)}</strong>
          </div>
        );
      })}
    </AbsoluteFill>
  );
}
