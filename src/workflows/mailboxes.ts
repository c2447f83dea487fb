/**
 * Messages of one incident to its channels: to each in order, one at a time, beside whatever else goes on. While one is
 * tried again and again, only the newest that waits behind it is kept: each says all that is to be known.
 */
import { condition, isCancellation } from '@temporalio/workflow';
import type { Notice } from '../policy/notices.ts';
import { told } from './failure.ts';
import { delivering } from './proxies.ts';

/** Whom a channel did not reach: all of those behind it, or some. */
type OnFailure = (channel: string, why: string, who: 'all of' | 'some of') => void;

interface Box {
  busy: boolean;
  waiting: Notice | undefined;
}

export class Mailboxes {
  private readonly system: string;
  private readonly onFailure: OnFailure;
  private readonly boxes = new Map<string, Box>();
  /** Channels that have taken at least one message. */
  readonly reached: Set<string>;

  constructor(system: string, reached: readonly string[], onFailure: OnFailure) {
    this.system = system;
    this.reached = new Set(reached);
    this.onFailure = onFailure;
  }

  /** Returns at once; a delivery that fails is told to `onFailure`. */
  send(channel: string, notice: Notice): void {
    const box = this.boxes.get(channel) ?? { busy: false, waiting: undefined };
    this.boxes.set(channel, box);
    box.waiting = notice;
    if (!box.busy) void this.deliver(channel, box);
  }

  /** Those that were told, or are being told. */
  concerned(): string[] {
    const busy = [...this.boxes].filter(([, box]) => box.busy).map(([channel]) => channel);
    return [...new Set([...this.reached, ...busy])];
  }

  get idle(): boolean {
    return [...this.boxes.values()].every((box) => !box.busy);
  }

  async settled(): Promise<void> {
    await condition(() => this.idle);
  }

  /** Never rejects: nobody waits for it. */
  private async deliver(channel: string, box: Box): Promise<void> {
    box.busy = true;
    for (let notice = box.waiting; notice !== undefined; notice = box.waiting) {
      box.waiting = undefined;
      // Whoever never heard of it need not hear that it is over.
      if (notice.type === 'incident.healed' && !this.reached.has(channel)) continue;
      try {
        const asked = { system: this.system, channel, notice };
        const taken = await delivering(`${notice.type} to ${channel}`, 'incident').notify(asked);
        this.reached.add(channel);
        if (taken?.refused !== undefined) this.onFailure(channel, taken.refused, 'some of');
      } catch (error) {
        if (isCancellation(error)) break;
        const { code, message, details } = told(error);
        const partly = (details as { partly?: unknown } | undefined)?.partly === true;
        if (partly) this.reached.add(channel);
        this.onFailure(channel, `${message} [${code}]`, partly ? 'some of' : 'all of');
      }
    }
    box.busy = false;
  }
}
