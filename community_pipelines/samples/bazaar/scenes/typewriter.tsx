import { useMemo } from "react";
import { AbsoluteFill, useCurrentFrame, useVideoConfig } from "remotion";

const PHRASES = ["__phrase__", "__phrase2__", "__phrase3__"];
const PREFIX = "__brand__ is for ";

export default function __name__(): JSX.Element {
  const frame = useCurrentFrame();
  const { fps } = useVideoConfig();
  const typing = __mass__ * fps;

  const text = useMemo(() => {
    const turn = Math.floor(frame / (typing * 2)) % PHRASES.length;
    const phrase = PHRASES[turn];
    const local = frame % (typing * 2);
    const share = local < typing ? local / typing : 1;
    return phrase.slice(0, Math.ceil(phrase.length * share));
  }, [frame, typing]);

  return (
    <AbsoluteFill style={{ backgroundColor: "__paper__", justifyContent: "center", padding: __pad__ }}>
      <div style={{ fontFamily: "__font__", fontSize: __size__, fontWeight: __weight__, color: "__ink__", lineHeight: 1.2 }}>
        {PREFIX}
        <span style={{ color: "__accent__", borderRight: frame % __many__ < __many__ / 2 ? "__hair__px solid __accent2__" : "none" }}>{text}</span>
      </div>
      <div style={{ marginTop: __gap2__, fontSize: __text__, color: "__ink__", opacity: Math.min(1, frame / __stretch__) * 0.75 }}>__line__</div>
    </AbsoluteFill>
  );
}
