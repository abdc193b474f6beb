import { ChartsPanel } from "./charts_panel.tsx";
import { Header } from "./header.tsx";
import { HelpDialog } from "./help_dialog.tsx";
import { LoopStrip } from "./loop_strip.tsx";
import { NoDevice } from "./no_device.tsx";
import { NotebookPanel } from "./notebook_panel.tsx";
import { Notices } from "./notices.tsx";
import { ResultPanel } from "./result_panel.tsx";
import { useSession } from "./session.ts";
import { StatusBar } from "./status_bar.tsx";
import { Welcome } from "./welcome.tsx";

/** The largest place on the page: how to begin, what is missing, or the notebook. */
function Desk() {
  const session = useSession();
  const failure = session.failure.value;
  if (failure?.what === "device") return <NoDevice message={failure.message} />;
  if (session.run.station === null && session.events.length === 0) return <Welcome />;
  return <NotebookPanel />;
}

function Announcer() {
  return (
    <p class="unseen" role="status" aria-live="polite">
      {useSession().announcement.value}
    </p>
  );
}

/** The whole page. */
export function App() {
  return (
    <div class="page">
      <Header />
      <Notices />
      <main class="board">
        <LoopStrip />
        <ResultPanel />
        <ChartsPanel />
        <Desk />
      </main>
      <StatusBar />
      <HelpDialog />
      <Announcer />
    </div>
  );
}
