import React from "react";
import { AbsoluteFill, Easing } from "remotion";
import { TransitionSeries, linearTiming, springTiming } from "@remotion/transitions";
import { slide } from "@remotion/transitions/slide";
import { wipe } from "@remotion/transitions/wipe";

const Panel: React.FC<React.PropsWithChildren<{ color: string; ink: string }>> = ({ color, ink, children }) => (
  <AbsoluteFill
    style={{
      backgroundColor: color,
      color: ink,
      alignItems: "center",
      justifyContent: "center",
      padding: __pad__,
      textAlign: "center",
      fontFamily: "__font__",
      fontSize: __size__,
      fontWeight: __weight__,
    }}
  >
    {children}
  </AbsoluteFill>
);

export default function __name__() {
  return (
    <TransitionSeries>
      <TransitionSeries.Sequence durationInFrames={__stretch__ + 20}>
        <Panel color="__accent__" ink="#ffffff">
          __headline__
        </Panel>
      </TransitionSeries.Sequence>
      <TransitionSeries.Transition presentation={wipe()} timing={linearTiming({ durationInFrames: __fade__, easing: __ease__ })} />
      <TransitionSeries.Sequence durationInFrames={__stretch2__ + 20}>
        <Panel color="__soft__" ink="__ink__">
          __phrase__
        </Panel>
      </TransitionSeries.Sequence>
      <TransitionSeries.Transition
        presentation={slide({ direction: "__side__" })}
        timing={springTiming({ config: { damping: __damping__, stiffness: __stiffness__ } })}
      />
      <TransitionSeries.Sequence durationInFrames={__stretch3__ + 40}>
        <Panel color="__accent2__" ink="#ffffff">
          __cta__
        </Panel>
      </TransitionSeries.Sequence>
    </TransitionSeries>
  );
}
