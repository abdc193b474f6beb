import { AnswersView } from "./answers/answers_view.tsx";
import { ChartDialog } from "./charts/chart_dialog.tsx";
import { ChartsPanel } from "./charts/charts_panel.tsx";
import { CurvesView } from "./charts/curves_view.tsx";
import { CompareView } from "./compare/compare_view.tsx";
import { Header } from "./header.tsx";
import { HelpDialog } from "./help_dialog.tsx";
import { LessonPanel } from "./lesson/lesson_panel.tsx";
import type { LessonPart } from "./lesson/lessons.ts";
import { LoopStrip } from "./loop_strip.tsx";
import { MachineView } from "./machine/machine_view.tsx";
import { NotebookPanel } from "./notebook_panel.tsx";
import { Notices } from "./notices.tsx";
import { PlaybackBar } from "./recorded/playback_bar.tsx";
import { ResultPanel } from "./result_panel.tsx";
import { useSession } from "./session.ts";
import { StatusBar } from "./status_bar.tsx";
import { WatchBar } from "./watch_bar.tsx";
import { Welcome } from "./welcome.tsx";

function Announcer() {
  return (
    <p class="unseen" role="status" aria-live="polite">
      {useSession().announcement.value}
    </p>
  );
}

/** The board: the whole story on one screen. */
function Board({ shows }: { shows(part: LessonPart): boolean }) {
  const session = useSession();
  const begun = session.source.value !== "none";
  return (
    <main
      class={`board ${shows("strip") ? "" : "no-strip"} ${shows("curves") ? "" : "no-curves"} ${shows("notebook") ? "" : "no-notebook"}`}
    >
      {shows("strip") && <LoopStrip />}
      {shows("result") && <ResultPanel />}
      {shows("curves") && <ChartsPanel />}
      {shows("notebook") && (begun ? <NotebookPanel /> : <Welcome />)}
    </main>
  );
}

function CurrentView({ shows }: { shows(part: LessonPart): boolean }) {
  switch (useSession().config.value.view) {
    case "run":
      return <Board shows={shows} />;
    case "curves":
      return <CurvesView />;
    case "compare":
      return <CompareView />;
    case "answers":
      return <AnswersView />;
    case "machine":
      return <MachineView />;
  }
}

/** The whole page. A lesson hides what its step does not need. */
export function App() {
  const session = useSession();
  const step = session.lesson.step.value;
  const shows = (part: LessonPart) => step === null || step.shows.includes(part);
  return (
    <div class={`page ${step ? "lesson" : ""}`}>
      {shows("transport") ? <Header /> : null}
      {step && <LessonPanel />}
      <Notices />
      {step === null && <WatchBar />}
      {shows("playback") && <PlaybackBar />}
      <CurrentView shows={shows} />
      <StatusBar />
      <HelpDialog />
      <ChartDialog />
      <Announcer />
    </div>
  );
}
