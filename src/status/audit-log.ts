/**
 * A system's audit log as all its stores have it together, and whether it is whole, also by what lies elsewhere: manifests,
 * this machine's memory, the engine. Needs no engine and no identity.
 */
import path from 'node:path';
import type { Client } from '@temporalio/client';
import { z } from 'zod';
import { readJson, writeDurably } from '../docker/durable-file.ts';
import { log } from '../observe/log.ts';
import { judgeAuditLogs, type AuditJudged, type AuditWitness } from '../policy/audit-chain.ts';
import { judgeAuditRuns, type AuditRun } from '../policy/audit-engine.ts';
import { stateDirectory } from '../system/home.ts';
import type { System } from '../system/types.ts';
import { headsInManifests, readAuditLogs } from '../vault/audit/read.ts';
import { headsRemembered } from '../vault/audit/write.ts';
import { auditHeadSchema } from '../vault/formats.ts';
import { withVault } from '../vault/maintained.ts';
import { SEARCH_ATTRIBUTES, WORKFLOWS, type AuditResult } from '../workflows/contract.ts';
import { askStores, type UnreadStore } from './store-answers.ts';

export interface AuditLog extends AuditJudged {
  readonly system: string;
  /** Those that were read. */
  readonly stores: readonly string[];
  readonly unread: readonly UnreadStore[];
}

/** Throws what kept the first from being read when no store could be. */
export async function auditLog(system: System, nowMs: number): Promise<AuditLog> {
  const { answers, unread, failures } = await askStores(system.stores, (config) =>
    withVault(system, config, async (from) => ({
      seen: await readAuditLogs(from, config.name),
      named: await headsInManifests(from),
    })),
  );
  if (answers.length === 0) throw failures[0];
  const judged = judgeAuditLogs(
    answers.map(({ value }) => value.seen),
    [...answers.flatMap(({ value }) => value.named), ...(await witnessesHere(system.name))],
    nowMs,
    unread.map(({ store }) => store),
  );
  if (judged.ok) await remember(system.name, judged);
  return { system: system.name, stores: answers.map(({ store }) => store), unread, ...judged };
}

/** The same with what the engine has written down of the log, as far back as it keeps runs that are over. */
export async function auditLogByEngine(system: System, nowMs: number, client: Client): Promise<AuditLog> {
  // Before the stores: what is written meanwhile lacks nowhere.
  const runs = await auditRuns(client, system.name);
  const seen = await auditLog(system, nowMs);
  const recorded = new Set(seen.events.map(({ event }) => event.id));
  const named = await Promise.all(
    runs.map(async (run) => (recorded.has(run.event) ? run : withKey(client, system.name, run))),
  );
  const { problems, notes } = judgeAuditRuns(named, recorded);
  const sure = seen.unread.length === 0 ? problems : [];
  const maybe = seen.unread.length === 0 ? [] : problems.map(({ what }) => what);
  return {
    ...seen,
    ok: seen.ok && sure.length === 0,
    problems: [...seen.problems, ...sure],
    notes: [...seen.notes, ...notes, ...maybe],
  };
}

async function auditRuns(client: Client, system: string): Promise<AuditRun[]> {
  const query = `WorkflowType = '${WORKFLOWS.audit}' AND ${SEARCH_ATTRIBUTES.system} = '${system}' AND ExecutionStatus != 'Running'`;
  const runs: AuditRun[] = [];
  for await (const { workflowId, status, closeTime } of client.workflow.list({ query })) {
    const [, event = workflowId] = workflowId.split('/audit/');
    const end = status.name === 'COMPLETED' ? 'written' : status.name === 'FAILED' ? 'refused' : 'stopped';
    runs.push({ event, end, closedAt: closeTime?.toISOString() ?? 'a time that is not known' });
  }
  return runs;
}

async function withKey(client: Client, system: string, run: AuditRun): Promise<AuditRun> {
  if (run.end !== 'written') return run;
  const { key } = (await client.workflow.getHandle(`${system}/audit/${run.event}`).result()) as AuditResult;
  return { ...run, key };
}

const rememberedSchema = z.object({ heads: z.array(auditHeadSchema) });

function rememberedFile(system: string): string {
  return path.join(stateDirectory(system), 'audit-heads.json');
}

/** What this machine has written itself, and what it saw when it read the log last. */
async function witnessesHere(system: string): Promise<AuditWitness[]> {
  const own = await headsRemembered(stateDirectory(system));
  const read = rememberedSchema.safeParse(await readJson(rememberedFile(system)));
  const seen = read.success ? read.data.heads : [];
  return [
    ...own.map((head) => ({ ...head, by: 'this machine, which wrote it,' })),
    ...seen.map((head) => ({ ...head, by: 'this machine, when it looked last,' })),
  ];
}

/** Only of a log that was whole: what lacks goes on being told. That it can't be kept makes the next look see less. */
async function remember(system: string, { logs }: AuditJudged): Promise<void> {
  const heads = logs.map(({ log, newest, newestSha256 }) => ({ log, n: newest, sha256: newestSha256 }));
  try {
    await writeDurably(rememberedFile(system), { heads });
  } catch (error) {
    log('status').warn({ err: error, system }, 'how far the audit log went could not be kept');
  }
}
