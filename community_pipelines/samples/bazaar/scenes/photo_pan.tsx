import React from "react";
import { AbsoluteFill, Easing, Img, interpolate, staticFile, useCurrentFrame, useVideoConfig } from "remotion";

const PHOTO = staticFile("photos/__amount__.jpg");

export default function __name__({ caption = "__phrase__" }: { caption?: string }) {
  const frame = useCurrentFrame();
  const { durationInFrames } = useVideoConfig();
  const zoom = interpolate(frame, [0, durationInFrames], [1.0__few__, 1.__many__], { easing: __ease__ });
  const pan = interpolate(frame, [0, durationInFrames], [-__shift__, __shift2__]);
  const caught = interpolate(frame, [__delay__, __delay__ + __fade__], [0, 1], {
    extrapolateLeft: "clamp",
    extrapolateRight: "clamp",
  });

  return (
    <AbsoluteFill style={{ backgroundColor: "__paper__", overflow: "hidden" }}>
      <Img
        src={PHOTO}
        style={{ width: "100%", height: "100%", objectFit: "cover", transform: `scale(${zoom}) translateX(${pan}px)` }}
      />
      <AbsoluteFill style={{ background: "linear-gradient(to top, __paper__ 0%, transparent __percent__%)" }} />
      <div
        style={{
          position: "absolute",
          left: __pad__,
          right: __pad__,
          bottom: __pad2__,
          color: "__ink__",
          fontFamily: "__font__",
          opacity: caught,
        }}
      >
        <div style={{ width: __length__ * caught, height: __hair__ + 1, backgroundColor: "__accent__", marginBottom: __gap__ }} />
        <div style={{ fontSize: __size__ * 0.7, fontWeight: __weight__ }}>__headline__</div>
        <div style={{ fontSize: __text__ }}>{caption}</div>
      </div>
    </AbsoluteFill>
  );
}
