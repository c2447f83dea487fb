/** Channels, as the system file describes them, after loading. */
import type { ChannelEvent } from '../policy/notices.ts';
import type { SecretRef } from './types.ts';

interface ChannelBase {
  readonly name: string;
  /** What it is told beside what escalation sends it. */
  readonly on: readonly ChannelEvent[];
  /** In the operator's own words; absent: title and text. */
  readonly template?: string;
}

export interface SlackChannel extends ChannelBase {
  readonly kind: 'slack';
  /** The whole address is the secret. */
  readonly url: SecretRef;
}

export interface WebhookChannel extends ChannelBase {
  readonly kind: 'webhook';
  readonly url: SecretRef;
  /** Absent: not signed. */
  readonly signingKey?: SecretRef;
}

export interface EmailChannel extends ChannelBase {
  readonly kind: 'email';
  readonly server: string;
  readonly port: number;
  readonly tls: 'none' | 'starttls' | 'tls';
  readonly caFile?: string;
  readonly user?: string;
  readonly password?: SecretRef;
  readonly from: string;
  readonly to: readonly string[];
  readonly subject?: string;
}

export interface CommandChannel extends ChannelBase {
  readonly kind: 'command';
  readonly command: readonly string[];
  readonly timeoutSeconds: number;
}

export type ChannelConfig = SlackChannel | WebhookChannel | EmailChannel | CommandChannel;
