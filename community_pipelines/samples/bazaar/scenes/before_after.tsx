import React from "react";
import { AbsoluteFill, Easing, Img, interpolate, staticFile, useCurrentFrame, useVideoConfig } from "remotion";
import { MoveHorizontal } from "lucide-react";

export default function __name__() {
  const frame = useCurrentFrame();
  const { durationInFrames, width } = useVideoConfig();
  const cut = interpolate(frame, [__delay__, durationInFrames / 2, durationInFrames - __fade__], [__percent__, __percent2__, 50], {
    extrapolateLeft: "clamp",
    extrapolateRight: "clamp",
    easing: __ease__,
  });
  const badge: React.CSSProperties = {
    position: "absolute",
    top: __pad__,
    padding: "12px 28px",
    borderRadius: __radius__,
    fontFamily: "__font__",
    fontSize: __text__,
    fontWeight: __weight__,
    backgroundColor: "__accent__",
    color: "#fff",
  };

  return (
    <AbsoluteFill style={{ backgroundColor: "__paper__" }}>
      <Img src={staticFile("after.jpg")} style={{ width: "100%", height: "100%", objectFit: "cover" }} />
      <AbsoluteFill style={{ clipPath: `inset(0 ${100 - cut}% 0 0)` }}>
        <Img src={staticFile("before.jpg")} style={{ width: "100%", height: "100%", objectFit: "cover", filter: "grayscale(0.__percent3__)" }} />
      </AbsoluteFill>
      <div style={{ position: "absolute", top: 0, bottom: 0, left: (cut / 100) * width - 3, width: __hair__ + 3, backgroundColor: "#fff" }}>
        <MoveHorizontal size={__text__ + 20} color="__accent2__" style={{ position: "absolute", top: "50%", left: -24 }} />
      </div>
      <div style={{ ...badge, left: __pad__ }}>Before</div>
      <div style={{ ...badge, right: __pad__ }}>After</div>
      <div style={{ position: "absolute", bottom: __pad2__, width: "100%", textAlign: "center", color: "__ink__", fontSize: __text__ + 10 }}>__headline__</div>
    </AbsoluteFill>
  );
}
