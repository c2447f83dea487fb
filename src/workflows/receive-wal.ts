/**
 * Receives the write-ahead log of one PostgreSQL component, for ever: the host streams it into the store turn by turn, and
 * this decides what follows from a gap, an alarm or a restore. Takes no lock of the system. Runs until it is cancelled or
 * the system file asks for no log any more.
 */
import { WorkflowExecutionAlreadyStartedError } from '@temporalio/common';
import {
  CancellationScope,
  condition,
  continueAsNew,
  defineSignal,
  getExternalWorkflowHandle,
  isCancellation,
  patched,
  setHandler,
  sleep,
  startChild,
  workflowInfo,
} from '@temporalio/workflow';
import type { WalFacts, WalTurn } from '../activities/types.ts';
import type { WalAlarm } from '../policy/wal-alarm.ts';
import type { backup } from './backup.ts';
import {
  SIGNALS,
  WORKFLOWS,
  workflowIds,
  type ReceiveWalInput,
  type ReceiveWalResult,
  type WalPause,
} from './contract.ts';
import { inOneVoice, told } from './failure.ts';
import { NAME, parseInput, type Fields } from './input.ts';
import { orchestration, receivingOn } from './proxies.ts';
import { Story } from './story.ts';

export const pauseWalSignal = defineSignal<[WalPause]>(SIGNALS.pauseWal);
export const resumeWalSignal = defineSignal<[WalPause]>(SIGNALS.resumeWal);
export const walPausedSignal = defineSignal<[WalPause]>(SIGNALS.walPaused);
export const lookAgainSignal = defineSignal(SIGNALS.lookAgain);

const FIELDS: Fields<ReceiveWalInput> = {
  system: { ...NAME, required: true },
  component: { ...NAME, required: true },
  mark: { type: 'string' },
  alarm: { type: 'string' },
  alarmMessage: { type: 'string' },
};

/** What waiting alone does not help is tried again all the same: a person may have seen to it. */
const AFTER_FAILURE = '5 minutes';
const AFTER_BAD_FILE = '1 minute';
const BASE_AGAIN = '1 minute';
/** How often a pause is checked whose workflow may have ended without saying so. */
const LOOK_AT_PAUSE = '2 minutes';
const TURNS_IN_ONE_HISTORY = 300;
/** Search attributes are for lists. */
const NOTE_LIMIT = 180;
/** Before, a turn began although a pause had been asked for while the system file was read. */
const HEARD_WHILE_LOOKING = 'wal-heard-while-looking';

export async function receiveWal(input: ReceiveWalInput): Promise<ReceiveWalResult> {
  const asked = parseInput<ReceiveWalInput>('receiveWal', input, FIELDS);
  const receiving = new Receiving(asked, new Story('receiveWal', ['receive']));
  return inOneVoice(() => receiving.run());
}

class Receiving {
  private readonly system: string;
  private readonly component: string;
  private readonly story: Story;
  private mark: string | undefined;
  /** Of the host. */
  private alarm: WalAlarm | undefined;
  /** Why no base backup could be taken after a gap. */
  private baseTrouble: string | undefined;
  private baseIsTaken = false;
  private readonly pausedBy = new Set<string>();
  private turnScope: CancellationScope | undefined;
  /** A message came since the system file was looked at; a turn that it ended is no cancel of the workflow. */
  private interrupted = false;
  private again = false;
  private turns = 0;

  constructor(asked: ReceiveWalInput, story: Story) {
    this.system = asked.system;
    this.component = asked.component;
    this.mark = asked.mark;
    this.alarm = asked.alarm === undefined ? undefined : { what: asked.alarm, message: asked.alarmMessage ?? '' };
    this.story = story;
    setHandler(pauseWalSignal, ({ by }) => this.pause(by), { description: 'Leave the log alone until resumed' });
    setHandler(resumeWalSignal, ({ by }) => void this.pausedBy.delete(by), { description: 'The pause is over' });
    setHandler(lookAgainSignal, () => this.lookAgain(), { description: 'The system file was changed: read it again' });
  }

  async run(): Promise<ReceiveWalResult> {
    this.story.about(this.system);
    this.story.begin('receive');
    this.tell();
    for (;;) {
      if (this.pausedBy.size > 0) await this.rest();
      this.interrupted = false;
      this.again = false;
      const facts = await this.look();
      if (facts === 'none') {
        this.story.finish();
        const why = `the system file asks for no log of ${this.component}; a slot made for it is left on the server, see \`holdfast doctor\``;
        return { outcome: 'stopped', why };
      }
      if (this.wasInterrupted() && patched(HEARD_WHILE_LOOKING)) continue;
      const turn = facts === undefined ? undefined : await this.turn(facts);
      if (turn !== undefined) this.heed(turn, facts);
      this.turns += 1;
      await this.beginAnew();
    }
  }

  /** A signal that came while something was awaited. */
  private wasInterrupted(): boolean {
    return this.interrupted;
  }

  /** `none`: there is nothing to receive any more; undefined: it can't be told at this moment. */
  private async look(): Promise<WalFacts | 'none' | undefined> {
    const { system, component } = this;
    try {
      return (await orchestration.describeWal({ system, component })) ?? 'none';
    } catch (error) {
      if (isCancellation(error)) throw error;
      this.stand({ what: 'system file', message: told(error).message });
      await sleep(AFTER_BAD_FILE, { summary: 'the system file' });
      return undefined;
    }
  }

  /** One turn on the host. Undefined when it was ended by a pause, or has failed. */
  private async turn(facts: WalFacts): Promise<WalTurn | undefined> {
    const { system, component, mark, alarm } = this;
    const input = {
      system,
      component,
      ...(mark === undefined ? {} : { mark }),
      ...(alarm === undefined ? {} : { alarm }),
    };
    const host = receivingOn(facts.host, `log of ${component}`);
    const scope = new CancellationScope();
    this.turnScope = scope;
    try {
      return await scope.run(() => (facts.mode === 'stream' ? host.receiveWal(input) : host.collectWal(input)));
    } catch (error) {
      if (isCancellation(error)) {
        if (CancellationScope.current().consideredCancelled || !this.interrupted) throw error;
        return undefined;
      }
      const { code, message } = told(error);
      this.stand({ what: `failed ${code}`, message });
      await condition(() => this.pausedBy.size > 0 || this.again, AFTER_FAILURE, { summary: `after ${code}` });
      return undefined;
    } finally {
      this.turnScope = undefined;
    }
  }

  private heed(turn: WalTurn, facts: WalFacts | undefined): void {
    if (turn.kind === 'alarm') this.stand(turn.alarm);
    if (turn.kind !== 'mark') return;
    this.mark = turn.mark;
    if (turn.base === undefined || this.baseIsTaken) return;
    this.baseIsTaken = true;
    // Beside the log, which goes on meanwhile: the base needs what comes from now on.
    this.takeBase(turn.base, facts?.basePlan).catch(() => undefined);
  }

  /** What was stored before a gap ends there, so that a base at once is what makes the log worth something again. */
  private async takeBase(why: string, plan: string | undefined): Promise<void> {
    try {
      for (let tries = 1; !(await this.baseBackup(why, plan)); tries += 1) {
        await sleep(BASE_AGAIN, { summary: `a base backup, because ${why}`.slice(0, NOTE_LIMIT) });
      }
      this.baseTrouble = undefined;
      this.tell();
    } finally {
      this.baseIsTaken = false;
    }
  }

  /** True when one was begun and committed after this call. */
  private async baseBackup(why: string, plan: string | undefined): Promise<boolean> {
    const { system, component } = this;
    try {
      const known = plan ?? (await orchestration.describeWal({ system, component }))?.basePlan;
      if (known === undefined) {
        this.baseFailed(`${why}, and no plan takes a base backup of ${component}: add it to one`);
        return false;
      }
      const child = await startChild<typeof backup>(WORKFLOWS.backup, {
        workflowId: workflowIds.backup(system, known),
        args: [{ system, plan: known, tag: 'wal-gap' }],
        parentClosePolicy: 'ABANDON',
        staticSummary: `${system}: backup by plan ${known}, because ${why}`.slice(0, NOTE_LIMIT),
      });
      const { outcome } = await child.result();
      return outcome === 'done';
    } catch (error) {
      if (isCancellation(error)) throw error;
      // One that runs already may have begun before the gap: it does not count.
      if (error instanceof WorkflowExecutionAlreadyStartedError) return false;
      this.baseFailed(`${why}, and a base backup failed: ${told(error).message}`);
      return false;
    }
  }

  private baseFailed(why: string): void {
    if (this.baseTrouble === why) return;
    this.baseTrouble = why;
    this.tell();
  }

  private pause(by: string): void {
    this.pausedBy.add(by);
    this.interrupt();
  }

  private lookAgain(): void {
    this.again = true;
    this.interrupt();
  }

  private interrupt(): void {
    this.interrupted = true;
    this.turnScope?.cancel();
  }

  /** Says so to who asked, and waits for the word to go on, or for the end of who asked. */
  private async rest(): Promise<void> {
    const answered = new Set<string>();
    this.story.waitFor([...this.pausedBy].join(', '));
    while (this.pausedBy.size > 0) {
      for (const by of [...this.pausedBy].filter((one) => !answered.has(one))) {
        answered.add(by);
        await this.answer(by);
      }
      const changed = () => [...this.pausedBy].some((by) => !answered.has(by)) || this.pausedBy.size === 0;
      if (await condition(changed, LOOK_AT_PAUSE, { summary: 'paused' })) continue;
      for (const by of this.pausedBy) {
        if (!(await orchestration.stillRuns({ workflowId: by }))) this.pausedBy.delete(by);
      }
    }
    this.story.waitIsOver();
    this.tell();
  }

  private async answer(by: string): Promise<void> {
    try {
      await getExternalWorkflowHandle(by).signal(walPausedSignal, { by: workflowInfo().workflowId });
    } catch (error) {
      if (isCancellation(error)) throw error;
      // A person may have asked under any name; what has ended needs no answer.
    }
  }

  private stand(alarm: WalAlarm | undefined): void {
    this.alarm = alarm;
    this.tell();
  }

  /** The alarm that stands, where people look: lists, the UI, `status`. */
  private tell(): void {
    const message = this.alarm?.message ?? this.baseTrouble;
    if (message === undefined) this.story.waitIsOver();
    else this.story.waitFor(`operator: ${message}`.slice(0, NOTE_LIMIT), message);
    this.story.needsOperator(message !== undefined);
  }

  /** Not while a base backup is awaited: whether it succeeded is only known here. */
  private async beginAnew(): Promise<void> {
    if (this.baseIsTaken || this.pausedBy.size > 0) return;
    if (this.turns < TURNS_IN_ONE_HISTORY && !workflowInfo().continueAsNewSuggested) return;
    const { system, component, mark, alarm } = this;
    await continueAsNew<typeof receiveWal>({
      system,
      component,
      ...(mark === undefined ? {} : { mark }),
      ...(alarm === undefined ? {} : { alarm: alarm.what, alarmMessage: alarm.message }),
    });
  }
}
