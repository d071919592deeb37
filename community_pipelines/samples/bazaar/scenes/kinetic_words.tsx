import React, { useMemo } from "react";
import { AbsoluteFill, Easing, Sequence, interpolate, spring, useCurrentFrame, useVideoConfig } from "remotion";

const SENTENCE = "__headline__ __line__";
const PER_WORD = __stagger__;

const Word: React.FC<{ text: string; index: number }> = ({ text, index }) => {
  const frame = useCurrentFrame();
  const { fps } = useVideoConfig();
  const pop = spring({ frame, fps, config: { damping: __damping__, mass: __mass__ } });
  const tilt = interpolate(frame, [0, __stretch__], [index % 2 === 0 ? -__tilt__ : __tilt__, 0], {
    extrapolateRight: "clamp",
    easing: __ease__,
  });
  return (
    <span
      style={{
        display: "inline-block",
        marginRight: "0.28em",
        color: index % __few__ === 0 ? "__accent__" : "__ink__",
        transform: `scale(${pop}) rotate(${tilt}deg)`,
      }}
    >
      {text}
    </span>
  );
};

export default function __name__() {
  const { width } = useVideoConfig();
  const words = useMemo(() => SENTENCE.split(" ").filter(Boolean), []);

  return (
    <AbsoluteFill style={{ backgroundColor: "__paper__", justifyContent: "center", padding: __pad__ }}>
      <div
        style={{
          fontFamily: "__font__",
          fontSize: width > 1200 ? __size__ : Math.round(__size__ * 0.7),
          fontWeight: __weight__,
          lineHeight: 1.15,
        }}
      >
        {words.map((text, index) => (
          <Sequence key={index} from={__delay__ + index * PER_WORD} layout="none">
            <Word text={text} index={index} />
          </Sequence>
        ))}
      </div>
    </AbsoluteFill>
  );
}
