/** A hosted zone of Route 53: read, changed only as it was seen, waited for. Errors are told in the catalogue's words. */
import { setTimeout as sleep } from 'node:timers/promises';
import {
  ChangeResourceRecordSetsCommand,
  GetChangeCommand,
  GetHostedZoneCommand,
  ListResourceRecordSetProtectionsCommand,
  ListResourceRecordSetsCommand,
} from '@aws-sdk/client-route-53';
import type { ListResourceRecordSetsCommandOutput, Route53Client, RRType } from '@aws-sdk/client-route-53';
import { HoldfastError } from '../failures.ts';
import { decideSwap, type ChangeItem, type RecordChange } from '../policy/failover/dns-change.ts';
import { plainName, zoneName, type RecordSet } from '../policy/failover/dns-records.ts';
import type { Route53Access } from '../system/dns-types.ts';
import type { SecretRef } from '../system/types.ts';
import { createRoute53Client } from './route53-client.ts';
import { isNamed, route53Failure } from './route53-errors.ts';
import { batchOf, fromRoute53 } from './route53-records.ts';

export interface ZoneNames {
  readonly name: string;
  readonly type: string;
}

interface PageStart {
  readonly StartRecordName: string;
  readonly StartRecordType: RRType;
  readonly StartRecordIdentifier?: string;
}

export type Submitted =
  /** Accepted: to be waited for. */
  | { readonly kind: 'submitted'; readonly changeId: string }
  /** Nothing had to be changed. */
  | { readonly kind: 'unchanged' };

export interface InSync {
  readonly changeId: string | undefined;
  /** By this machine's clock, when it was seen. */
  readonly inSyncAtMs: number;
  /** How often the change was lost and sent again. */
  readonly resubmitted: number;
}

export interface WaitOptions {
  readonly signal: AbortSignal;
  readonly withinMs: number;
  readonly report?: (phase: string) => void;
}

const POLL_MS = 2000;
/** More than so often a change isn't lost by chance. */
const MOST_RESUBMITTED = 5;

export class Route53Zone {
  readonly zone: string;
  private readonly client: Route53Client;
  private readonly pollMs: number;

  constructor(zone: string, client: Route53Client, pollMs = POLL_MS) {
    this.zone = zone;
    this.client = client;
    this.pollMs = pollMs;
  }

  /** The record sets of these names and types, all of their sets. Throws what a zone throws. */
  async read(names: readonly ZoneNames[], signal: AbortSignal): Promise<RecordSet[]> {
    const found: RecordSet[] = [];
    const unique = new Map(names.map((one) => [`${zoneName(one.name)} ${one.type}`, one]));
    for (const one of unique.values()) found.push(...(await this.readOne(one, signal)));
    return found;
  }

  /** Listed from the name and type on, a page at a time, until another name or type comes. */
  private async readOne({ name, type }: ZoneNames, signal: AbortSignal): Promise<RecordSet[]> {
    const found: RecordSet[] = [];
    let from: PageStart | undefined = {
      StartRecordName: zoneName(name),
      StartRecordType: type as RRType,
    };
    while (from !== undefined) {
      const start: PageStart = from;
      const page: ListResourceRecordSetsCommandOutput = await this.ask('read its record sets', () =>
        this.client.send(new ListResourceRecordSetsCommand({ HostedZoneId: this.zone, ...start }), {
          abortSignal: signal,
        }),
      );
      const records = (page.ResourceRecordSets ?? []).map(fromRoute53);
      const same = records.filter((one) => one.name === zoneName(name) && one.type === type);
      found.push(...same);
      const { NextRecordName, NextRecordType, NextRecordIdentifier } = page;
      const goesOn = page.IsTruncated === true && same.length === records.length && NextRecordName !== undefined;
      from =
        goesOn && NextRecordType !== undefined
          ? {
              StartRecordName: NextRecordName,
              StartRecordType: NextRecordType,
              ...(NextRecordIdentifier === undefined ? {} : { StartRecordIdentifier: NextRecordIdentifier }),
            }
          : undefined;
    }
    return found;
  }

  /** The zone's own name, and the servers it is delegated to. */
  async describe(signal: AbortSignal): Promise<{ name: string; nameservers: readonly string[]; isPrivate: boolean }> {
    const answer = await this.ask('describe it', () =>
      this.client.send(new GetHostedZoneCommand({ Id: this.zone }), { abortSignal: signal }),
    );
    return {
      name: plainName(answer.HostedZone?.Name ?? ''),
      nameservers: answer.DelegationSet?.NameServers ?? [],
      isPrivate: answer.HostedZone?.Config?.PrivateZone === true,
    };
  }

  /** Those of these names that are protected from changes. Throws DnsRefused where these credentials may not look. */
  async protections(names: readonly ZoneNames[], signal: AbortSignal): Promise<ZoneNames[]> {
    const wanted = new Set(names.map(({ name, type }) => `${zoneName(name)} ${type}`));
    const found: ZoneNames[] = [];
    let token: string | undefined;
    do {
      const at: string | undefined = token;
      const page = await this.ask('list what is protected in it', () =>
        this.client.send(
          new ListResourceRecordSetProtectionsCommand({
            HostedZoneId: this.zone,
            ...(at === undefined ? {} : { NextToken: at }),
          }),
          { abortSignal: signal },
        ),
      );
      for (const { RecordName = '', RecordType = '' } of page.ResourceRecordSetProtections ?? []) {
        if (wanted.has(`${zoneName(RecordName)} ${RecordType}`)) {
          found.push({ name: plainName(RecordName), type: RecordType });
        }
      }
      token = page.NextToken;
    } while (token !== undefined);
    return found;
  }

  /**
   * Makes the changes where the zone holds exactly what is expected, and nothing otherwise: DnsChanged. Where it holds what
   * is wanted already, the same is written once more, so that there is a change to wait for, or with `leave` nothing.
   */
  async swap(
    changes: readonly RecordChange[],
    signal: AbortSignal,
    whenDone: 'again' | 'leave' = 'again',
  ): Promise<Submitted> {
    const names = namesOf(changes);
    const decision = decideSwap(changes, await this.read(names, signal));
    if (decision.kind === 'changed') throw this.changedMeanwhile(decision.differences);
    const nothing = decision.batch.length === 0 || (decision.kind === 'done' && whenDone === 'leave');
    if (nothing) return { kind: 'unchanged' };
    try {
      return { kind: 'submitted', changeId: await this.submit(decision.batch, signal) };
    } catch (cause) {
      if (!isNamed(cause, 'InvalidChangeBatch')) throw route53Failure(this.zone, 'change its records', cause);
      return await this.afterRefusal(changes, cause, signal);
    }
  }

  /** Somebody was faster, our own answer was lost, the names are protected, or it will never do. */
  private async afterRefusal(
    changes: readonly RecordChange[],
    cause: unknown,
    signal: AbortSignal,
  ): Promise<Submitted> {
    const names = namesOf(changes);
    const decision = decideSwap(changes, await this.read(names, signal));
    if (decision.kind === 'changed') throw this.changedMeanwhile(decision.differences);
    if (decision.kind === 'done') {
      const changeId = await this.ask('change its records', () => this.submit(decision.batch, signal));
      return { kind: 'submitted', changeId };
    }
    const guarded = await this.protections(names, signal).catch((error: unknown) => {
      if (error instanceof HoldfastError && error.code === 'DnsRefused') return [];
      throw error;
    });
    if (guarded.length > 0 || /protect/i.test(cause instanceof Error ? cause.message : '')) {
      const which = guarded.length > 0 ? guarded : names;
      const list = which.map(({ name, type }) => `${plainName(name)} ${type}`).join(', ');
      throw new HoldfastError('DnsProtected', `Route 53, zone ${this.zone}: protected from changes: ${list}.`, {
        cause,
      });
    }
    throw route53Failure(this.zone, 'change its records', cause);
  }

  /**
   * Waits until a change is on all authoritative servers. One that the control plane does not know any more was stranded
   * in a region that is gone: the zone is compared again, and the same is sent again. Throws DnsPending when time is over,
   * DnsChanged.
   */
  async awaitInSync(
    changes: readonly RecordChange[],
    submitted: { readonly changeId?: string },
    options: WaitOptions,
  ): Promise<InSync> {
    const endMs = performance.now() + options.withinMs;
    let { changeId } = submitted;
    let resubmitted = 0;
    for (;;) {
      if (changeId === undefined) return { changeId, inSyncAtMs: Date.now(), resubmitted };
      const status = await this.status(changeId, options.signal);
      if (status === 'INSYNC') return { changeId, inSyncAtMs: Date.now(), resubmitted };
      if (status === 'PENDING') {
        options.report?.(`change ${changeId} is PENDING`);
        if (performance.now() >= endMs) {
          const text = `Route 53, zone ${this.zone}: the change ${changeId} is still PENDING after ${Math.round(options.withinMs / 1000)} s.`;
          throw new HoldfastError('DnsPending', text, { details: { changeId } });
        }
        await sleep(this.pollMs, undefined, { signal: options.signal });
        continue;
      }
      resubmitted += 1;
      if (resubmitted > MOST_RESUBMITTED) {
        const text = `Route 53, zone ${this.zone}: the change was accepted and lost ${MOST_RESUBMITTED} times.`;
        throw new HoldfastError('DnsPending', text, { details: { changeId } });
      }
      options.report?.(`change ${changeId} was lost: it is sent again`);
      const again = await this.swap(changes, options.signal);
      changeId = again.kind === 'submitted' ? again.changeId : undefined;
    }
  }

  private async status(changeId: string, signal: AbortSignal): Promise<'INSYNC' | 'PENDING' | 'lost'> {
    try {
      const { ChangeInfo } = await this.client.send(new GetChangeCommand({ Id: changeId }), { abortSignal: signal });
      return ChangeInfo?.Status === 'INSYNC' ? 'INSYNC' : 'PENDING';
    } catch (cause) {
      signal.throwIfAborted();
      if (isNamed(cause, 'NoSuchChange')) return 'lost';
      throw route53Failure(this.zone, `tell of the change ${changeId}`, cause);
    }
  }

  private async submit(batch: readonly ChangeItem[], signal: AbortSignal): Promise<string> {
    const { ChangeInfo } = await this.client.send(
      new ChangeResourceRecordSetsCommand({
        HostedZoneId: this.zone,
        ChangeBatch: { Changes: batchOf(batch), Comment: 'holdfast' },
      }),
      { abortSignal: signal },
    );
    return (ChangeInfo?.Id ?? '').replace(/^\/change\//, '');
  }

  private async ask<T>(doing: string, call: () => Promise<T>): Promise<T> {
    try {
      return await call();
    } catch (cause) {
      if (cause instanceof Error && cause.name === 'AbortError') throw cause;
      throw route53Failure(this.zone, doing, cause);
    }
  }

  private changedMeanwhile(differences: readonly string[]): HoldfastError {
    const text = `Zone ${this.zone} was changed by somebody else: ${differences.join('; ')}.`;
    return new HoldfastError('DnsChanged', text, { details: { differences } });
  }

  close(): void {
    this.client.destroy();
  }
}

function namesOf(changes: readonly RecordChange[]): ZoneNames[] {
  return changes.flatMap(({ before, after }) => {
    const one = before ?? after;
    return one === null ? [] : [{ name: one.name, type: one.type }];
  });
}

/** To be closed. `pollMs` is the pause between two looks at a change. */
export async function openZone(
  access: Route53Access,
  resolveSecret: (ref: SecretRef) => Promise<string>,
  pollMs?: number,
): Promise<Route53Zone> {
  return new Route53Zone(access.zone, await createRoute53Client(access, resolveSecret), pollMs);
}
