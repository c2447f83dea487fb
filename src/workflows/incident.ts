/**
 * Follows one trouble of a system from when it is found until it is gone: tells those whom the system file names, by
 * levels and times, until somebody acknowledges it or it has healed; reminds them; says when it is over. Monitoring tells
 * it how things are. Takes no lock and changes nothing.
 */
import {
  allHandlersFinished,
  condition,
  continueAsNew,
  defineQuery,
  defineSignal,
  defineUpdate,
  isCancellation,
  log,
  patched,
  setHandler,
  sleep,
  workflowInfo,
} from '@temporalio/workflow';
import type { AlarmFact } from '../activities/incident-types.ts';
import {
  acknowledgedUntilMs,
  afterTelling,
  decide,
  foundAgain,
  type Due,
  type EscalationPolicy,
  type EscalationState,
} from '../policy/escalation.ts';
import { CHECKS, findingId, SEVERITIES, type Finding } from '../policy/findings.ts';
import { incidentNotice, safeId, type IncidentNews } from '../policy/notices.ts';
import {
  QUERIES,
  SIGNALS,
  UPDATES,
  type Acknowledgement,
  type FoundAgain,
  type Healed,
  type IncidentInput,
  type IncidentNote,
  type IncidentState,
} from './contract.ts';
import { failure, inOneVoice, told } from './failure.ts';
import { NAME, parseInput, type Fields } from './input.ts';
import { Mailboxes } from './mailboxes.ts';
import { escalating, recording } from './proxies.ts';
import { writeDown } from './report.ts';
import { Story } from './story.ts';

export const acknowledgeUpdate = defineUpdate<IncidentState, [Acknowledgement]>(UPDATES.acknowledge);
export const acknowledgeSignal = defineSignal<[Acknowledgement]>(SIGNALS.acknowledge);
export const foundSignal = defineSignal<[FoundAgain]>(SIGNALS.found);
export const healedSignal = defineSignal<[Healed]>(SIGNALS.healed);
export const noteSignal = defineSignal<[IncidentNote]>(SIGNALS.note);
export const incidentQuery = defineQuery<IncidentState>(QUERIES.incident);

const FIELDS: Fields<IncidentInput> = {
  system: { ...NAME, required: true },
  check: { type: 'string', required: true, oneOf: CHECKS },
  subject: { type: 'string', required: true },
  severity: { type: 'string', required: true, oneOf: SEVERITIES },
  what: { type: 'string', required: true },
  hint: { type: 'string', required: true },
  since: { type: 'string' },
  unreachable: { type: 'boolean' },
  carried: { type: 'string' },
};

const LONGEST_TIMELINE = 200;
/** How long a system file that can't be read is left alone: twice as long each time. */
const SHORTEST_PAUSE_MS = 60_000;
const LONGEST_PAUSE_MS = 3_600_000;
/** So many events as that many findings that are told anew. */
const PAUSE_WEIGHS = 4;
const FILE_IS_ASKED_LESS_OFTEN = 'bad-file-asked-less-often-2026-11';
/** Each finding that is told anew is a few events. */
const WAKES_IN_ONE_HISTORY = 400;

type Timeline = IncidentState['timeline'][number];

/** What one run knows and the next has to know. Plain JSON. */
interface Knowledge extends EscalationState {
  readonly timeline: readonly Timeline[];
  readonly reached: readonly string[];
  readonly levelName?: string | undefined;
  readonly acknowledgedBy?: string | undefined;
  /** Counts what was written down, for ids. */
  readonly written: number;
  readonly comebacks: number;
}

export async function incident(input: IncidentInput): Promise<IncidentState> {
  const asked = parseInput<IncidentInput>('incident', input, FIELDS);
  const following = new Incident(asked, new Story('incident', ['open']));
  return inOneVoice(() => following.run());
}

class Incident {
  private finding: Finding;
  private known: Knowledge;
  private readonly story: Story;
  private readonly mail: Mailboxes;
  private policy: EscalationPolicy | undefined;
  private nextAtMs: number | undefined;
  private readonly unrecorded: AlarmFact[] = [];
  /** A message came since the last look. */
  private woken = false;
  private wakes = 0;
  /** Its end is being told: what is found from now on is another incident. */
  private closing = false;
  private another: Finding | undefined;

  constructor({ carried, ...asked }: IncidentInput, story: Story) {
    this.finding = asked;
    this.story = story;
    this.known =
      carried === undefined
        ? { ...firstKnowledge(asked, Date.now()), timeline: [], reached: [], written: 0, comebacks: 0 }
        : (JSON.parse(carried) as Knowledge);
    this.mail = new Mailboxes(asked.system, this.known.reached, (channel, why, who) =>
      this.note(`${who === 'all of' ? channel : `some of ${channel}`} could not be told: ${why}`),
    );
    setHandler(foundSignal, (finding) => this.found(finding), { description: 'The trouble as it is now' });
    setHandler(healedSignal, () => this.healed(), { description: 'The trouble is gone' });
    setHandler(acknowledgeSignal, (word) => this.acknowledge(word), { description: 'Somebody is on it' });
    setHandler(
      acknowledgeUpdate,
      (word) => {
        this.acknowledge(word);
        return this.state();
      },
      { validator: (word: unknown) => this.judge(word), description: 'Somebody is on it: nobody else is told' },
    );
    setHandler(noteSignal, (word) => this.noted(word), { description: 'What somebody did about it' });
    setHandler(incidentQuery, () => this.state(), { description: 'What is known of it, and who was told' });
    if (carried === undefined) this.note(`opened: ${asked.what}`);
  }

  async run(): Promise<IncidentState> {
    this.story.about(this.finding.system);
    this.story.begin('open');
    this.tellWhereItIs();
    for (;;) {
      this.woken = false;
      const due = await this.whatIsDue();
      if (due?.kind === 'tell') this.tell(due);
      await this.record();
      if (due?.kind === 'resolve') return await this.end();
      if (due === undefined) await this.rest();
      await this.beginAnew();
    }
  }

  /** By the file as it is at that moment, because it may have changed since the last look. */
  private async whatIsDue(): Promise<Due | undefined> {
    if (this.policy !== undefined) {
      const { due, nextAtMs } = decide(this.policy, this.known, Date.now());
      this.nextAtMs = nextAtMs;
      if (due === undefined) return undefined;
    }
    this.policy = await this.readPolicy();
    const { due, nextAtMs } = decide(this.policy, this.known, Date.now());
    this.nextAtMs = nextAtMs;
    return due;
  }

  private async readPolicy(): Promise<EscalationPolicy> {
    for (let pause = SHORTEST_PAUSE_MS; ; pause = Math.min(2 * pause, LONGEST_PAUSE_MS)) {
      const { system, check, severity } = this.finding;
      try {
        return await escalating.describeEscalation({ system, check, severity });
      } catch (error) {
        if (isCancellation(error)) throw error;
        // What was known of the file stands until it can be read again.
        if (this.policy !== undefined) return this.policy;
        if (!patched(FILE_IS_ASKED_LESS_OFTEN)) {
          this.story.waitFor('the system file', told(error).message);
          await sleep(SHORTEST_PAUSE_MS, { summary: 'the system file' });
          continue;
        }
        // Said once: a bad file may stay so for weeks.
        if (pause === SHORTEST_PAUSE_MS) this.story.waitFor('the system file', told(error).message);
        await this.forTheFile(pause);
      }
    }
  }

  /** Whoever mends the file has monitoring look again, which tells what it finds: so that nobody waits for a long pause. */
  private async forTheFile(pauseMs: number): Promise<void> {
    await this.record();
    const { wakes } = this;
    this.woken = false;
    const hasNews = (): boolean => this.woken || this.wakes > wakes;
    await condition(hasNews, pauseMs, { summary: 'the system file' });
    this.wakes += PAUSE_WEIGHS;
    await this.record();
    await this.beginAnew();
  }

  private tell(due: Extract<Due, { kind: 'tell' }>): void {
    const levels = (this.policy?.levels ?? []).slice(due.first - 1, due.last);
    const name = levels.at(-1)?.name;
    this.known = { ...afterTelling(this.known, due, Date.now()), levelName: name ?? this.known.levelName };
    if (due.why === 'unattended')
      this.known = { ...this.known, acknowledgedAtMs: undefined, acknowledgedBy: undefined };
    const channels = [...new Set(levels.flatMap((level) => level.channels))].filter((one) => !this.isOwnChannel(one));
    const names = levels.map((level) => level.name).join(', ');
    this.note(`${due.why}: ${names} told by ${channels.length === 0 ? 'no channel' : channels.join(', ')}`);
    this.send(due.why, channels);
    this.tellWhereItIs();
  }

  /** That a channel is broken is not said by that channel. */
  private isOwnChannel(channel: string): boolean {
    return this.finding.check === 'notify' && this.finding.subject === channel;
  }

  private send(news: IncidentNews, channels: readonly string[], about: { by?: string; note?: string } = {}): void {
    const { toldLevels, levelName, openedAtMs, sinceMs } = this.known;
    const level = levelName === undefined ? undefined : { number: toldLevels, name: levelName };
    const facts = { finding: this.finding, openedAtMs, sinceMs, level };
    const notice = incidentNotice(news, facts, { id: this.nextId(), atMs: Date.now(), ...about });
    for (const channel of channels) this.mail.send(channel, notice);
  }

  private found(finding: Finding): void {
    if (this.closing) {
      this.another = finding;
      return;
    }
    this.wakes += 1;
    const { severity, since } = finding;
    const before = this.known;
    this.finding = { ...finding, system: this.finding.system };
    this.known = foundAgain(this.known, { severity, sinceMs: parsedMs(since) });
    const isBack = before.healedAtMs !== undefined;
    if (isBack) {
      this.known = { ...this.known, comebacks: before.comebacks + 1 };
      this.note(`came back: ${finding.what}`);
    } else if (before.severity !== severity) this.note(`${severity} now: ${finding.what}`);
    else return;
    if (before.acknowledgedAtMs !== undefined && this.known.acknowledgedAtMs === undefined) {
      this.known = { ...this.known, acknowledgedBy: undefined };
    }
    // Another severity may have levels of its own.
    this.policy = undefined;
    this.wake();
  }

  private healed(): void {
    if (this.closing || this.known.healedAtMs !== undefined) return;
    this.known = { ...this.known, healedAtMs: Date.now() };
    this.note('gone; told as healed when it stays so');
    this.wake();
  }

  private judge(word: unknown): void {
    if (whoIn(word) === undefined) throw failure('BadInput', 'An acknowledgement says who gives it (by).');
    if (this.closing) throw failure('BadInput', 'This trouble is over: there is nothing to acknowledge.');
  }

  private acknowledge({ by, note }: Acknowledgement): void {
    if (this.closing || whoIn({ by }) === undefined) return;
    this.known = { ...this.known, acknowledgedAtMs: Date.now(), acknowledgedBy: by };
    this.note(`acknowledged${note === undefined ? '' : `: ${note}`}`, by);
    this.send('acknowledged', this.mail.concerned(), { by, ...(note === undefined ? {} : { note }) });
    this.wake();
  }

  /** Tells nobody anew: it stands in the timeline and the alarm log. */
  private noted({ what, by }: IncidentNote): void {
    if (typeof what !== 'string' || what.trim() === '') return;
    this.note(what, by);
    this.wake();
  }

  private wake(): void {
    this.woken = true;
    this.tellWhereItIs();
  }

  private async rest(): Promise<void> {
    const hasNews = (): boolean => this.woken || this.unrecorded.length > 0 || this.mayBeginAnew();
    if (hasNews()) return;
    if (this.nextAtMs === undefined) await condition(hasNews);
    else await condition(hasNews, Math.max(this.nextAtMs - Date.now(), 1), { summary: 'until somebody is told' });
    this.wakes += 1;
  }

  private async end(): Promise<IncidentState> {
    this.closing = true;
    this.note('healed');
    this.send('healed', this.mail.concerned());
    this.story.begin('tell that it is over');
    await this.mail.settled();
    await this.record();
    this.story.needsOperator(false);
    this.story.finish();
    const state = this.state();
    const { runId } = workflowInfo();
    await writeDown({ system: this.finding.system, kind: 'incident', id: runId, report: { ...state } });
    await condition(allHandlersFinished);
    if (this.another !== undefined) await continueAsNew<typeof incident>(inputOf(this.another));
    return state;
  }

  /** Where people look: lists, the UI. */
  private tellWhereItIs(): void {
    const { what, hint, severity } = this.finding;
    const { state, acknowledgedBy } = this.state();
    const note = `${severity}: ${what}\n\n${hint}`;
    if (state === 'open') this.story.waitFor('an acknowledgement', note);
    else
      this.story.waitFor(state === 'healed' ? 'it to stay healed' : `it to be healed by ${acknowledgedBy ?? ''}`, note);
    this.story.needsOperator(state === 'open');
  }

  private note(what: string, by?: string): void {
    const at = new Date().toISOString();
    const entry: Timeline = { at, what, ...(by === undefined ? {} : { by }) };
    const all = [...this.known.timeline, entry];
    const isLong = all.length > LONGEST_TIMELINE;
    const timeline = isLong ? [...all.slice(0, 1), ...all.slice(1 - LONGEST_TIMELINE)] : all;
    this.known = { ...this.known, timeline };
    const { severity } = this.finding;
    this.unrecorded.push({ id: this.nextId(), incident: findingId(this.finding), severity, ...entry });
  }

  /** The same in every run of one incident, and in every replay. */
  private nextId(): string {
    const written = this.known.written + 1;
    this.known = { ...this.known, written };
    return safeId(`${workflowInfo().firstExecutionRunId}-${written}`);
  }

  /** Nice to have: a full disk must not keep anybody from being told. */
  private async record(): Promise<void> {
    const alarms = this.unrecorded.splice(0);
    if (alarms.length === 0) return;
    try {
      await recording.recordAlarms({ system: this.finding.system, alarms });
    } catch (error) {
      if (isCancellation(error)) throw error;
      log.warn('the alarm log could not be written', { why: told(error).message });
    }
  }

  /** Not while a message is under way: what becomes of it is only known here. */
  private mayBeginAnew(): boolean {
    if (this.wakes < WAKES_IN_ONE_HISTORY && !workflowInfo().continueAsNewSuggested) return false;
    return this.mail.idle && allHandlersFinished();
  }

  private async beginAnew(): Promise<void> {
    if (this.woken || this.unrecorded.length > 0 || !this.mayBeginAnew()) return;
    const carried: Knowledge = { ...this.known, reached: [...this.mail.reached] };
    await continueAsNew<typeof incident>({ ...inputOf(this.finding), carried: JSON.stringify(carried) });
  }

  private state(): IncidentState {
    const { known, nextAtMs } = this;
    const { openedAtMs, toldLevels, levelName, acknowledgedAtMs, acknowledgedBy, healedAtMs, timeline } = known;
    const heldUntilMs = this.policy === undefined ? undefined : acknowledgedUntilMs(this.policy, known);
    const isHeld = acknowledgedAtMs !== undefined && (heldUntilMs === undefined || Date.now() < heldUntilMs);
    return {
      finding: this.finding,
      state: healedAtMs !== undefined ? 'healed' : isHeld ? 'acknowledged' : 'open',
      openedAt: new Date(openedAtMs).toISOString(),
      level: toldLevels,
      ...(levelName === undefined ? {} : { levelName }),
      ...(nextAtMs === undefined || this.closing ? {} : { nextAt: new Date(nextAtMs).toISOString() }),
      ...(isHeld && acknowledgedBy !== undefined ? { acknowledgedBy } : {}),
      ...(healedAtMs === undefined ? {} : { healedAt: new Date(healedAtMs).toISOString() }),
      timeline,
    };
  }
}

function firstKnowledge({ severity, since }: Finding, nowMs: number): EscalationState {
  return { severity, openedAtMs: nowMs, sinceMs: parsedMs(since), toldLevels: 0 };
}

function inputOf({ system, check, subject, severity, what, hint, since }: Finding): IncidentInput {
  return { system, check, subject, severity, what, hint, ...(since === undefined ? {} : { since }) };
}

function parsedMs(time: string | undefined): number | undefined {
  const ms = time === undefined ? Number.NaN : Date.parse(time);
  return Number.isNaN(ms) ? undefined : ms;
}

/** People type messages by hand. */
function whoIn(word: unknown): string | undefined {
  const { by } = typeof word === 'object' && word !== null ? (word as { by?: unknown }) : {};
  return typeof by === 'string' && by.trim() !== '' ? by : undefined;
}
