import React from "react";
import { AbsoluteFill, spring, useCurrentFrame, useVideoConfig } from "remotion";
import { Star } from "lucide-react";

const REVIEW = {
  text: "__quote__",
  name: "__person__",
  role: "__role__",
  company: "__brand__",
  stars: 5,
};

const __name__: React.FC = () => {
  const frame = useCurrentFrame();
  const { fps } = useVideoConfig();
  const card = spring({ frame: frame - __delay__, fps, config: { damping: __damping__, stiffness: __stiffness__ } });
  const initials = REVIEW.name
    .split(" ")
    .map((part) => part[0])
    .join("");

  return (
    <AbsoluteFill style={{ backgroundColor: "__accent3__", alignItems: "center", justifyContent: "center", fontFamily: "__font__" }}>
      <div
        style={{
          width: "72%",
          padding: __pad__ / 2 + 20,
          borderRadius: __radius__,
          backgroundColor: "__paper__",
          color: "__ink__",
          opacity: card,
          transform: `translateY(${(1 - card) * __shift__}px)`,
        }}
      >
        <div style={{ display: "flex", gap: 6 }}>
          {Array.from({ length: REVIEW.stars }).map((_, index) => {
            const shine = spring({ frame: frame - __fade__ - index * __stagger__, fps });
            return <Star key={index} size={__text__ + 8} fill="__accent__" color="__accent__" style={{ transform: `scale(${shine})` }} />;
          })}
        </div>
        <p style={{ fontSize: __text__ + 12, lineHeight: 1.45, fontWeight: __weight__ }}>“{REVIEW.text}”</p>
        <div style={{ display: "flex", alignItems: "center", gap: __gap__ }}>
          <div
            style={{
              width: 72,
              height: 72,
              borderRadius: "50%",
              display: "grid",
              placeItems: "center",
              color: "#fff",
              fontSize: 28,
              backgroundColor: "__accent2__",
            }}
          >
            {initials}
          </div>
          <div>
            <strong style={{ fontSize: __text__ }}>{REVIEW.name}</strong>
            <div style={{ opacity: 0.7 }}>
              {REVIEW.role}, {REVIEW.company}
            </div>
          </div>
        </div>
      </div>
    </AbsoluteFill>
  );
};

export default __name__;
