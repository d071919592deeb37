import React from "react";
import { AbsoluteFill, interpolate, useCurrentFrame } from "remotion";
import { Quote } from "lucide-react";

const QUOTE = "__quote__";
const AUTHOR = "__person__";

const __name__ = () => {
  const frame = useCurrentFrame();
  const shown = Math.floor(
    interpolate(frame, [__delay__, __delay__ + __stretch__ * 2], [0, QUOTE.length], {
      extrapolateLeft: "clamp",
      extrapolateRight: "clamp",
    }),
  );
  const author = interpolate(frame, [__delay__ + __stretch__ * 2, __delay__ + __stretch__ * 2 + __fade__], [0, 1], {
    extrapolateLeft: "clamp",
    extrapolateRight: "clamp",
  });

  return (
    <AbsoluteFill style={{ backgroundColor: "__paper__", padding: __pad__, justifyContent: "center", fontFamily: "__font__" }}>
      <Quote size={__size__} color="__accent__" strokeWidth={1.5} />
      <blockquote style={{ margin: "__gap__px 0", fontSize: __text__ + 26, lineHeight: 1.3, color: "__ink__", fontWeight: __weight__ }}>
        {QUOTE.slice(0, shown)}
        <span style={{ opacity: frame % __many__ < __many__ / 2 ? 1 : 0, color: "__accent__" }}>|</span>
      </blockquote>
      <div style={{ opacity: author, transform: `translateX(${(1 - author) * __shift__}px)`, fontSize: __text__, color: "__accent2__" }}>
        {AUTHOR}, __role__
      </div>
    </AbsoluteFill>
  );
};

export default __name__;
