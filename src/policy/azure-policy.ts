/**
 * Rights in the language of Azure: a role of data actions, and the condition of its assignment to the container. A role
 * with `add/action` and without `write` creates blobs and replaces none ("Permissions for Blob service operations").
 * https://learn.microsoft.com/azure/storage/blobs/storage-auth-abac-attributes
 */
import type { StoreRights } from './store-rights.ts';

export interface AzurePolicy {
  readonly roleDefinition: {
    readonly Name: string;
    readonly IsCustom: true;
    readonly Description: string;
    readonly Actions: readonly string[];
    readonly DataActions: readonly string[];
    readonly AssignableScopes: readonly string[];
  };
  /** Of the assignment to the container; undefined when nothing has to be kept out. */
  readonly condition: string | undefined;
  readonly conditionVersion: '2.0';
}

const BLOBS = 'Microsoft.Storage/storageAccounts/blobServices/containers/blobs';
const READ = `${BLOBS}/read`;
const CREATE = `${BLOBS}/add/action`;
const WRITE = `${BLOBS}/write`;
const DELETE = `${BLOBS}/delete`;
const DELETE_VERSION = `${BLOBS}/deleteBlobVersion/action`;
const PATH = `@Resource[${BLOBS}:path]`;
const LIST_PREFIX = `@Request[${BLOBS}:prefix]`;

/** What may lie in the archive tier. */
const ARCHIVED = ['chunks/', 'lists/'];

export interface AzurePolicyInput {
  readonly role: string;
  readonly account: string;
  readonly container: string;
  readonly prefix: string;
}

export function azurePolicy(rights: StoreRights, input: AzurePolicyInput): AzurePolicy {
  const base = input.prefix === '' ? '' : `${input.prefix}/`;
  const replaces = rights.replace.length > 0;
  // Locks of blobs and access tiers are properties: setting them takes the right to write.
  const writes = replaces || rights.extendLocks || rights.thaw;
  const writable = rights.extendLocks ? [''] : [...rights.replace, ...(rights.thaw ? ARCHIVED : [])];
  const deletes = rights.delete.length > 0;
  const named = (keys: readonly string[]): readonly string[] => keys.map((key) => base + key);
  const conditions = [
    limit(`ActionMatches{'${READ}'} AND NOT SubOperationMatches{'Blob.List'}`, paths(named(rights.read))),
    limit(`ActionMatches{'${READ}'} AND SubOperationMatches{'Blob.List'}`, listed(base)),
    limit(`ActionMatches{'${CREATE}'}`, paths(named(rights.create))),
    ...(writes ? [limit(`ActionMatches{'${WRITE}'}`, paths(named(writable)))] : []),
    ...(deletes ? [limit(`ActionMatches{'${DELETE}'}`, paths(named(rights.delete)))] : []),
    ...(deletes ? [limit(`ActionMatches{'${DELETE_VERSION}'}`, paths(named(rights.delete)))] : []),
  ].filter((one) => one !== undefined);
  const scope = `/subscriptions/<subscription>/resourceGroups/<group>/providers/Microsoft.Storage/storageAccounts/${input.account}`;
  return {
    roleDefinition: {
      Name: `Holdfast ${input.role}`,
      IsCustom: true,
      Description: `What the role ${input.role} of Holdfast needs of a vault.`,
      Actions: [],
      DataActions: [READ, CREATE, ...(writes ? [WRITE] : []), ...(deletes ? [DELETE, DELETE_VERSION] : [])],
      AssignableScopes: [`${scope}/blobServices/default/containers/${input.container}`],
    },
    condition: conditions.length === 0 ? undefined : conditions.join('\nAND\n'),
    conditionVersion: '2.0',
  };
}

function limit(action: string, expression: string | undefined): string | undefined {
  return expression === undefined ? undefined : `(\n (\n  !(${action})\n )\n OR\n (\n  ${expression}\n )\n)`;
}

function paths(names: readonly string[]): string | undefined {
  if (names.includes('')) return undefined;
  const one = (name: string): string => `${PATH} StringLike '${name.endsWith('/') ? `${name}*` : name}'`;
  return names.map(one).join('\n  OR\n  ');
}

function listed(base: string): string | undefined {
  return base === '' ? undefined : `${LIST_PREFIX} StringStartsWith '${base}'`;
}
