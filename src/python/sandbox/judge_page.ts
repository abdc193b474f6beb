// The page that the command line judges in: the sandbox and its judge, driven from Node through two functions on the window.

import type { JudgeOptions, JudgeRequest, Verdict } from "../judge.ts";
import { SandboxJudge } from "../sandbox_judge.ts";
import { createSandbox } from "../sandbox_page.ts";

/** What the requests for one problem share, sent once for all of them. */
export type Question = Omit<JudgeRequest, "program">;

/** A verdict on its way to Node: the call it belongs to, the request's index in it. */
export type Told = readonly [call: number, index: number, verdict: Verdict];

export interface JudgePage {
  /** Gives a snapshot to be kept, as base64, where the server had none. */
  open(workers: number): Promise<string | null>;
  /** Problems to come, by numbers that later calls name them with. */
  learn(questions: readonly (readonly [number: number, question: Question])[]): void;
  judge(
    call: number,
    asked: readonly (readonly [question: number, program: string])[],
    isolation: NonNullable<JudgeOptions["isolation"]>,
  ): Promise<void>;
  cancel(call: number): void;
}

declare global {
  interface Window {
    judgePage: JudgePage;
    /** Made by Node. */
    tellVerdicts(told: readonly Told[]): Promise<void>;
    /** Outputs of reference solutions that Node keeps in a folder. */
    keptReference(key: string): Promise<string | null>;
    keepReference(key: string, text: string): Promise<void>;
  }
}

const TELL_EVERY_MS = 50;
const calls = new Map<number, AbortController>();
let judge: SandboxJudge | null = null;
const untold: Told[] = [];
let _telling: Promise<void> | null = null;

async function open(workers: number): Promise<string | null> {
  const response = await fetch("snapshot");
  const snapshot = response.ok ? await response.arrayBuffer() : null;
  const port = await createSandbox(document, location.href, { workers, snapshot, giveSnapshot: snapshot === null });
  judge = new SandboxJudge(port, { get: (key) => window.keptReference(key), put: (key, text) => window.keepReference(key, text) });
  const made = (await judge.ready()).snapshot;
  return made && base64(made);
}

/** Playwright carries text only. */
function base64(buffer: ArrayBuffer): Promise<string> {
  return new Promise((resolve, reject) => {
    const reader = new FileReader();
    reader.onload = () => resolve(String(reader.result).replace(/^.*,/, ""));
    reader.onerror = () => reject(reader.error);
    reader.readAsDataURL(new Blob([buffer]));
  });
}

const questions = new Map<number, Question>();

function learn(learned: readonly (readonly [number, Question])[]): void {
  for (const [number, question] of learned) questions.set(number, question);
}

function requestOf([number, program]: readonly [number, string]): JudgeRequest {
  const question = questions.get(number);
  if (!question) throw new Error(`The judge's page was not told of question ${number}.`);
  return { ...question, program };
}

const judgeAll: JudgePage["judge"] = async (call, asked, isolation) => {
  if (!judge) throw new Error("The judge's page is not open.");
  const requests = asked.map(requestOf);
  const controller = new AbortController();
  calls.set(call, controller);
  try {
    await judge.judge(requests, { isolation, signal: controller.signal, onVerdict: (index, verdict) => tell([call, index, verdict]) });
    await flush();
  } finally {
    calls.delete(call);
  }
};

/** Verdicts go to Node many at a time: a message each would cost more than the judging. */
function tell(told: Told): void {
  untold.push(told);
  _telling ??= new Promise((resolve) => setTimeout(resolve, TELL_EVERY_MS)).then(flush);
}

async function flush(): Promise<void> {
  _telling = null;
  await window.tellVerdicts(untold.splice(0));
}

window.judgePage = { open, learn, judge: judgeAll, cancel: (call) => calls.get(call)?.abort() };
