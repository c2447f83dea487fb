/** How an operation tells where it is: query `progress`, current details in the UI, search attributes. */
import { defineSearchAttributeKey } from '@temporalio/common';
import { defineQuery, setCurrentDetails, setHandler, upsertSearchAttributes } from '@temporalio/workflow';
import { QUERIES, SEARCH_ATTRIBUTES, type Progress } from './contract.ts';

const SYSTEM = defineSearchAttributeKey(SEARCH_ATTRIBUTES.system, 'KEYWORD');
const OPERATION = defineSearchAttributeKey(SEARCH_ATTRIBUTES.operation, 'KEYWORD');
const PHASE = defineSearchAttributeKey(SEARCH_ATTRIBUTES.phase, 'KEYWORD');
const NEEDS_OPERATOR = defineSearchAttributeKey(SEARCH_ATTRIBUTES.needsOperator, 'BOOL');

export const progressQuery = defineQuery<Progress>(QUERIES.progress);

type Step = { name: string; state: 'done' | 'running' | 'waiting' | 'failed' };

const MARKS = { done: 'x', running: '>', waiting: ' ', failed: '!' } as const;

/** The steps of one operation. Answers the `progress` query from the moment it is made. */
export class Story {
  readonly operation: Progress['operation'];
  private readonly steps: Step[];
  /** Undefined until it is known what the operation is about. */
  system: string | undefined;
  private phase = 'starting';
  private since = new Date();
  private waiting: string | undefined;
  private readonly begun: { readonly name: string; readonly atMs: number }[] = [];
  private note = '';

  constructor(operation: Progress['operation'], steps: readonly string[]) {
    this.operation = operation;
    this.steps = steps.map((name) => ({ name, state: 'waiting' }));
    setHandler(progressQuery, () => this.progress(), { description: 'Where the operation is' });
  }

  /** Makes the operation findable. One command for both, because each costs the server a write. */
  about(system: string): void {
    this.system = system;
    upsertSearchAttributes([
      { key: SYSTEM, value: system },
      { key: OPERATION, value: this.operation },
    ]);
  }

  /** Begins a step, known beforehand or not; the one before it is done. */
  begin(name: string): void {
    this.end('done');
    const known = this.steps.find((step) => step.name === name && step.state === 'waiting');
    if (known === undefined) this.steps.push({ name, state: 'running' });
    else known.state = 'running';
    this.begun.push({ name, atMs: Date.now() });
    this.enter(name);
  }

  /** The step that runs has failed, and what has not begun yet is done otherwise: through these steps. */
  goOnThrough(steps: readonly string[]): void {
    this.end('failed');
    const begun = this.steps.filter(({ state }) => state !== 'waiting');
    this.steps.splice(0, this.steps.length, ...begun, ...steps.map((name): Step => ({ name, state: 'waiting' })));
  }

  /** The steps begun so far, in their order, with how long each took; the last one until now. */
  phases(): { readonly name: string; readonly ms: number }[] {
    return this.begun.map(({ name, atMs }, index) => ({
      name,
      ms: (this.begun[index + 1]?.atMs ?? Date.now()) - atMs,
    }));
  }

  /** Says what is waited for; the search attribute shows it in lists, also when no worker can answer a query. */
  waitFor(what: string, note = ''): void {
    this.waiting = what;
    this.note = note;
    upsertSearchAttributes([{ key: PHASE, value: `waiting: ${what}` }]);
    this.enter(this.phase);
  }

  waitIsOver(): void {
    if (this.waiting === undefined) return;
    this.waiting = undefined;
    this.note = '';
    upsertSearchAttributes([{ key: PHASE, value: this.phase }]);
    this.enter(this.phase);
  }

  /** A person has to look at this run. */
  needsOperator(needed: boolean): void {
    upsertSearchAttributes([{ key: NEEDS_OPERATOR, value: needed }]);
  }

  finish(): void {
    this.end('done');
    this.enter('done');
  }

  fail(why: string): void {
    this.end('failed');
    this.note = why;
    this.enter('failed');
  }

  progress(): Progress {
    return {
      operation: this.operation,
      phase: this.phase,
      since: this.since.toISOString(),
      ...(this.waiting === undefined ? {} : { waitingFor: this.waiting }),
      steps: this.steps.map((step) => ({ ...step })),
    };
  }

  private end(state: 'done' | 'failed'): void {
    for (const step of this.steps) if (step.state === 'running') step.state = state;
  }

  private enter(phase: string): void {
    if (phase !== this.phase) this.since = new Date();
    this.phase = phase;
    const list = this.steps.map((step) => `- [${MARKS[step.state]}] ${step.name}`).join('\n');
    const waiting = this.waiting === undefined ? '' : `\n\n**Waiting for ${this.waiting}**`;
    const note = this.note === '' ? '' : `\n\n${this.note}`;
    setCurrentDetails(`**${this.phase}**${waiting}${note}\n\n${list}`);
  }
}
