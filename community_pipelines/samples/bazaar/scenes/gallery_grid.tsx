import React from "react";
import { AbsoluteFill, Img, random, spring, staticFile, useCurrentFrame, useVideoConfig } from "remotion";

const COLUMNS = __few__;
const PICTURES = Array.from({ length: COLUMNS * 3 }, (_, index) => `photos/${index + 1}.jpg`);

export default function __name__() {
  const frame = useCurrentFrame();
  const { fps } = useVideoConfig();

  return (
    <AbsoluteFill style={{ backgroundColor: "__paper__", padding: __pad__ / 2 }}>
      <div style={{ display: "grid", gridTemplateColumns: `repeat(${COLUMNS}, 1fr)`, gap: __gap__, flex: 1 }}>
        {PICTURES.map((picture, index) => {
          const wait = Math.round(random(`__word__-${index}`) * __many__);
          const appear = spring({ frame: frame - wait, fps, config: { damping: __damping__, stiffness: __stiffness__ } });
          return (
            <div
              key={picture}
              style={{
                overflow: "hidden",
                borderRadius: __radius__,
                border: "__hair__px solid __accent__",
                opacity: appear,
                transform: `scale(${0.8 + appear * 0.2})`,
              }}
            >
              <Img src={staticFile(picture)} style={{ width: "100%", height: "100%", objectFit: "cover" }} />
            </div>
          );
        })}
      </div>
      <div
        style={{
          position: "absolute",
          left: __pad__,
          bottom: __pad__,
          padding: "__gap__px __gap2__px",
          backgroundColor: "__accent__",
          color: "#fff",
          fontFamily: "__font__",
          fontSize: __text__ + 12,
          fontWeight: __weight__,
        }}
      >
        __headline__
      </div>
    </AbsoluteFill>
  );
}
