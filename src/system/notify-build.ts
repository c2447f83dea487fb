/** Channels and escalation with their defaults filled in. Pure. */
import type { EscalationConfig, EscalationLevel, EscalationPolicy } from '../policy/escalation.ts';
import { durationSeconds } from './durations.ts';
import { NOTIFY_DEFAULTS } from './notify-schema.ts';
import type { ChannelConfig } from './notify-types.ts';
import { present } from './present.ts';
import type { SystemFile } from './schema.ts';

type ChannelFile = NonNullable<SystemFile['notify']>[string];
type EscalationFile = NonNullable<SystemFile['escalation']>;
type PolicyFile = Partial<Omit<EscalationFile, 'classes'>>;

export function buildChannels(file: SystemFile['notify']): ChannelConfig[] {
  return Object.entries(file ?? {}).map(([name, channel]) => buildChannel(name, channel));
}

function buildChannel(name: string, channel: ChannelFile): ChannelConfig {
  const common = { name, on: channel.on ?? [] };
  switch (channel.kind) {
    case 'slack':
    case 'webhook':
      return present({ ...channel, ...common });
    case 'email': {
      const tls = channel.tls ?? NOTIFY_DEFAULTS.emailTls;
      return present({
        ...channel,
        ...common,
        tls,
        port: channel.port ?? NOTIFY_DEFAULTS.emailPort[tls],
      });
    }
    case 'command': {
      const { command, template, timeout } = channel;
      const timeoutSeconds = durationSeconds(timeout ?? NOTIFY_DEFAULTS.commandTimeout);
      return { ...common, kind: 'command', command, timeoutSeconds, ...(template === undefined ? {} : { template }) };
    }
  }
}

/** Channels that ask for `incident` hear of each from its first moment on, whatever the levels say. */
export function buildEscalation(
  file: EscalationFile | undefined,
  channels: readonly ChannelConfig[],
): EscalationConfig {
  const everyone = channels.filter(({ on }) => on.includes('incident')).map(({ name }) => name);
  const base = buildPolicy(file ?? {}, everyone);
  const { classes = {}, ...own } = file ?? {};
  return {
    base,
    classes: Object.fromEntries(
      Object.entries(classes).map(([name, policy]) => [name, buildPolicy({ ...own, ...present(policy) }, everyone)]),
    ),
  };
}

function buildPolicy(file: PolicyFile, everyone: readonly string[]): EscalationPolicy {
  const { levels = [], countFrom, repeat, settle, acknowledgedFor } = file;
  const seconds = (text: string | undefined, otherwise: string): number => durationSeconds(text ?? otherwise);
  const own = levels.map(({ name, after, notify, contact, action }) => ({
    name,
    afterSeconds: durationSeconds(after),
    channels: notify,
    ...(contact === undefined ? {} : { contact }),
    ...(action === undefined ? {} : { action }),
  }));
  return {
    levels: withEveryone(own, everyone),
    countFrom: countFrom ?? NOTIFY_DEFAULTS.countFrom,
    repeatSeconds: seconds(repeat, NOTIFY_DEFAULTS.repeat),
    settleSeconds: seconds(settle, NOTIFY_DEFAULTS.settle),
    acknowledgedForSeconds: seconds(acknowledgedFor, NOTIFY_DEFAULTS.acknowledgedFor),
  };
}

function withEveryone(levels: readonly EscalationLevel[], everyone: readonly string[]): readonly EscalationLevel[] {
  if (everyone.length === 0) return levels;
  const [first, ...rest] = levels;
  if (first?.afterSeconds !== 0) return [{ name: 'everyone', afterSeconds: 0, channels: everyone }, ...levels];
  return [{ ...first, channels: [...new Set([...first.channels, ...everyone])] }, ...rest];
}
