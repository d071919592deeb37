import React from "react";
import { AbsoluteFill, Audio, staticFile, useCurrentFrame, useVideoConfig } from "remotion";
import { useAudioData, visualizeAudio } from "@remotion/media-utils";

const SOURCE = staticFile("episode-__amount__.mp3");
const SAMPLES = __power__;

export default function __name__() {
  const frame = useCurrentFrame();
  const { fps } = useVideoConfig();
  const audio = useAudioData(SOURCE);
  const bars = audio
    ? visualizeAudio({ fps, frame, audioData: audio, numberOfSamples: SAMPLES })
    : Array.from({ length: SAMPLES }, (_, i) => 0.2 + 0.2 * Math.sin(frame / __stagger__ + i));

  return (
    <AbsoluteFill style={{ backgroundColor: "__paper__", alignItems: "center", justifyContent: "center", fontFamily: "__font__" }}>
      <Audio src={SOURCE} />
      <div style={{ fontSize: __text__ + 20, fontWeight: __weight__, color: "__ink__", marginBottom: __gap2__ }}>__title__</div>
      <div style={{ display: "flex", alignItems: "center", gap: __hair__ + 4, height: __length__ }}>
        {bars.map((value, index) => (
          <div
            key={index}
            style={{
              width: __bar__,
              height: `${Math.max(4, Math.min(100, value * __percent__ * 3))}%`,
              borderRadius: __radius__,
              background: index % 2 === 0 ? "__accent__" : "__accent2__",
            }}
          />
        ))}
      </div>
      <div style={{ marginTop: __gap__, fontSize: __text__, color: "__ink__", opacity: 0.7 }}>with __person__</div>
    </AbsoluteFill>
  );
}
