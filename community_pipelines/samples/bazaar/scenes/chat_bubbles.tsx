import React from "react";
import { AbsoluteFill, Sequence, spring, useCurrentFrame, useVideoConfig } from "remotion";

type Message = { from: "me" | "them"; text: string };

const MESSAGES: Message[] = [
  { from: "them", text: "__line__" },
  { from: "me", text: "__phrase__?" },
  { from: "them", text: "__quote__" },
  { from: "me", text: "__cta__" },
];

const Bubble: React.FC<Message> = ({ from, text }) => {
  const frame = useCurrentFrame();
  const { fps } = useVideoConfig();
  const pop = spring({ frame, fps, config: { damping: __damping__, stiffness: __stiffness__, mass: __mass__ } });
  const mine = from === "me";
  return (
    <div
      style={{
        alignSelf: mine ? "flex-end" : "flex-start",
        maxWidth: "70%",
        marginBottom: __gap__,
        padding: "20px 30px",
        borderRadius: __radius__ + 12,
        backgroundColor: mine ? "__accent__" : "__soft__",
        color: mine ? "#ffffff" : "__ink__",
        fontSize: __text__ + 4,
        transformOrigin: mine ? "bottom right" : "bottom left",
        transform: `scale(${pop})`,
      }}
    >
      {text}
    </div>
  );
};

export default function __name__() {
  return (
    <AbsoluteFill style={{ backgroundColor: "__paper__", padding: __pad__, justifyContent: "flex-end", fontFamily: "__font__" }}>
      <div style={{ textAlign: "center", color: "__accent2__", fontSize: __text2__ }}>__person__ is online</div>
      {MESSAGES.map((message, index) => (
        <Sequence key={index} from={__delay__ + index * __fade__} layout="none">
          <Bubble {...message} />
        </Sequence>
      ))}
    </AbsoluteFill>
  );
}
