import { AbsoluteFill, interpolate, spring, useCurrentFrame, useVideoConfig } from "remotion";

type Props = {
  person?: string;
  role?: string;
};

const __name__: React.FC<Props> = ({ person = "__person__", role = "__role__, __brand__" }) => {
  const frame = useCurrentFrame();
  const { fps, durationInFrames } = useVideoConfig();
  const slide = spring({ frame: frame - __delay__, fps, config: { damping: __damping__, stiffness: __stiffness__ } });
  const out = interpolate(frame, [durationInFrames - __fade__, durationInFrames - 2], [0, 1], {
    extrapolateLeft: "clamp",
    extrapolateRight: "clamp",
  });
  const x = interpolate(slide - out, [0, 1], [-__length__ - 200, 0]);

  return (
    <AbsoluteFill style={{ backgroundColor: "__paper__" }}>
      <div
        style={{
          position: "absolute",
          left: __pad__,
          bottom: __pad2__,
          display: "flex",
          alignItems: "stretch",
          transform: `translateX(${x}px)`,
          fontFamily: "__font__",
        }}
      >
        <div style={{ width: __bar__, backgroundColor: "__accent__", borderRadius: __radius__ }} />
        <div style={{ padding: "__gap__px __gap2__px", backgroundColor: "__soft__" }}>
          <div style={{ fontSize: __text__ + 16, fontWeight: __weight__, color: "__ink__" }}>{person}</div>
          <div style={{ fontSize: __text__, color: "__accent2__", marginTop: 4 }}>{role}</div>
        </div>
      </div>
    </AbsoluteFill>
  );
};

export default __name__;
