import React from "react";
import { AbsoluteFill, spring, useCurrentFrame, useVideoConfig } from "remotion";
import { Layers, ShieldCheck, Zap } from "lucide-react";

const FEATURES = [
  { icon: Zap, title: "__label__", text: "__phrase__" },
  { icon: Layers, title: "__label2__", text: "__phrase2__" },
  { icon: ShieldCheck, title: "__label3__", text: "__phrase3__" },
];

export default function __name__() {
  const frame = useCurrentFrame();
  const { fps, width, height } = useVideoConfig();

  return (
    <AbsoluteFill style={{ background: "linear-gradient(__angle__deg, __paper__, __soft__)", padding: __pad__, fontFamily: "__font__" }}>
      <h1 style={{ color: "__ink__", fontSize: __text__ + 40, fontWeight: __weight__, textAlign: "center" }}>__headline__</h1>
      <div style={{ display: "flex", flex: 1, gap: __gap__, alignItems: "center", flexDirection: width > height ? "row" : "column" }}>
        {FEATURES.map(({ icon: Icon, title, text }, index) => {
          const flip = spring({
            frame: frame - __delay__ - index * __stagger__,
            fps,
            config: { damping: __damping__, stiffness: __stiffness__, overshootClamping: false },
          });
          return (
            <div
              key={title + index}
              style={{
                flex: 1,
                padding: __gap2__,
                borderRadius: __radius__,
                border: "__hair__px solid __accent__",
                color: "__ink__",
                opacity: flip,
                transform: `perspective(900px) rotateX(${(1 - flip) * __angle__ / 4}deg)`,
              }}
            >
              <Icon size={__text__ + 24} color="__accent2__" />
              <div style={{ fontSize: __text__ + 8, margin: "16px 0 8px" }}>{title}</div>
              <div style={{ fontSize: __text2__, opacity: 0.75 }}>{text}</div>
            </div>
          );
        })}
      </div>
    </AbsoluteFill>
  );
}
