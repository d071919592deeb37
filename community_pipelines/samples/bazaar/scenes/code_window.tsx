import React from "react";
import { AbsoluteFill, interpolate, useCurrentFrame } from "remotion";

const LINES = [
  "import { __word__ } from '__site__';",
  "",
  "const result = await __word__.create({",
  "  name: '__label__',",
  "  size: __amount__,",
  "});",
  "console.log(result); // __phrase__",
];

export default function __name__() {
  const frame = useCurrentFrame();
  const total = LINES.join("\n").length;
  const typed = Math.floor(
    interpolate(frame, [__delay__, __delay__ + __stretch__ * 3], [0, total], { extrapolateLeft: "clamp", extrapolateRight: "clamp" }),
  );
  let rest = typed;

  return (
    <AbsoluteFill style={{ background: "linear-gradient(__angle__deg, __accent__, __accent3__)", padding: __pad__, justifyContent: "center" }}>
      <div style={{ borderRadius: __radius__, overflow: "hidden", boxShadow: "0 __gap__px 80px rgba(0, 0, 0, 0.35)" }}>
        <div style={{ display: "flex", gap: 10, padding: 18, backgroundColor: "#20232b" }}>
          {["#ff5f57", "#febc2e", "#28c840"].map((color) => (
            <div key={color} style={{ width: 16, height: 16, borderRadius: 8, backgroundColor: color }} />
          ))}
        </div>
        <pre
          style={{
            margin: 0,
            padding: __gap2__,
            backgroundColor: "#15171d",
            color: "#e6e6e6",
            fontFamily: "JetBrains Mono, monospace",
            fontSize: __text__,
            lineHeight: 1.6,
          }}
        >
          {LINES.map((line, index) => {
            const visible = line.slice(0, Math.max(0, rest));
            rest -= line.length + 1;
            return (
              <div key={index}>
                <span style={{ color: "__accent2__", marginRight: 24 }}>{index + 1}</span>
                {visible}
                {rest < 0 && visible.length > 0 && frame % __many__ < __few__ * 2 ? "▍" : ""}
              </div>
            );
          })}
        </pre>
      </div>
    </AbsoluteFill>
  );
}
