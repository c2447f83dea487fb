/** One message to one channel. */
import { HoldfastError } from '../failures.ts';
import type { Notice } from '../policy/notices.ts';
import type { ChannelConfig, System } from '../system/types.ts';
import { runCommand } from './command.ts';
import { sendSlack } from './slack.ts';
import { sendWebhook } from './webhook.ts';

/** Throws BadInput for a channel that the system file does not have (any more). */
export function channelOf({ name: system, notify }: Pick<System, 'name' | 'notify'>, name: string): ChannelConfig {
  const found = notify.find((channel) => channel.name === name);
  if (found !== undefined) return found;
  const known = notify.length === 0 ? 'it has none' : `it has ${notify.map((channel) => channel.name).join(', ')}`;
  throw new HoldfastError('BadInput', `${system} has no channel ${name}; ${known}`, {
    hint: 'Channels are described in the section `notify` of the system file.',
  });
}

export interface Delivered {
  /** In words: who of several did not take it and never will. Absent: everybody has. */
  readonly refused?: string;
}

/** What attempts of one delivery hand on to each other. */
export interface DeliveryMemory {
  readonly kept: readonly string[];
  keep(words: readonly string[]): void;
}

/**
 * Resolves when the channel has taken it, or those of several who ever will. With a memory, those who took an earlier
 * attempt are not told again. A repeat with the same notice has the same id, by which a receiver can tell.
 * Throws ChannelUnreachable (waiting helps), ChannelRefused, SecretMissing; never with a secret in a message or a cause.
 */
export async function deliver(
  channel: ChannelConfig,
  notice: Notice,
  signal: AbortSignal,
  memory?: DeliveryMemory,
): Promise<Delivered> {
  switch (channel.kind) {
    case 'slack':
      await sendSlack(channel, notice, signal);
      return {};
    case 'webhook':
      await sendWebhook(channel, notice, signal);
      return {};
    case 'email': {
      // Loaded by those who send mail.
      const { sendEmail } = await import('./email.ts');
      return sendEmail(channel, notice, { signal, memory });
    }
    case 'command':
      await runCommand(channel, notice, signal);
      return {};
  }
}
