/**
 * POSIX ACLs: the form in which Linux keeps them in extended attributes (linux/posix_acl_xattr.h, version 2) and the
 * text that tar programs write into pax headers (`SCHILY.acl.access`, acl(5), with numbers for users and groups).
 */
import type { ByteString } from './byte-string.ts';

const VERSION = 2;
const ENTRY_BYTES = 8;
const NO_ID = 0xffff_ffff;

const TAGS: readonly { readonly tag: number; readonly word: string; readonly named: boolean }[] = [
  { tag: 0x01, word: 'user', named: false },
  { tag: 0x02, word: 'user', named: true },
  { tag: 0x04, word: 'group', named: false },
  { tag: 0x08, word: 'group', named: true },
  { tag: 0x10, word: 'mask', named: false },
  { tag: 0x20, word: 'other', named: false },
];

/** The pax keyword of each ACL's extended attribute. */
export const ACL_KEYWORDS: Readonly<Record<string, string>> = {
  'system.posix_acl_access': 'SCHILY.acl.access',
  'system.posix_acl_default': 'SCHILY.acl.default',
};

/** The text of an ACL as Linux stores it, or undefined when it is of a form this does not know. */
export function aclText(value: ByteString): string | undefined {
  const bytes = Buffer.from(value, 'latin1');
  if (bytes.length < 4 || bytes.readUInt32LE(0) !== VERSION || (bytes.length - 4) % ENTRY_BYTES !== 0) return undefined;
  const parts: string[] = [];
  for (let at = 4; at < bytes.length; at += ENTRY_BYTES) {
    const known = TAGS.find(({ tag }) => tag === bytes.readUInt16LE(at));
    if (known === undefined) return undefined;
    const rights = bytes.readUInt16LE(at + 2);
    const letters = `${(rights & 4) === 0 ? '-' : 'r'}${(rights & 2) === 0 ? '-' : 'w'}${(rights & 1) === 0 ? '-' : 'x'}`;
    parts.push(`${known.word}:${known.named ? bytes.readUInt32LE(at + 4) : ''}:${letters}`);
  }
  return parts.join(',');
}

const ENTRY = /^(default:)?(user|u|group|g|mask|m|other|o):(\d*):([r-][w-][x-])(:\d+)?$/;

/**
 * The form in which Linux stores an ACL, from its text: entries between commas or lines, numbers for users and groups
 * (a fourth field with the number, as star writes it, wins). Undefined when the text is not understood.
 */
export function aclValue(text: string): ByteString | undefined {
  const entries: { tag: number; rights: number; id: number }[] = [];
  for (const line of text.split(/[,\n]/)) {
    const entry = line.replace(/#.*$/, '').trim();
    if (entry === '') continue;
    const found = ENTRY.exec(entry);
    if (found === null) return undefined;
    const [, , word = '', number = '', letters = '', last] = found;
    const known = TAGS.find((tag) => tag.word.startsWith(word.slice(0, 1)) && tag.named === (number !== ''));
    if (known === undefined) return undefined;
    entries.push({
      tag: known.tag,
      rights: (letters[0] === 'r' ? 4 : 0) | (letters[1] === 'w' ? 2 : 0) | (letters[2] === 'x' ? 1 : 0),
      id: known.named ? Number(last?.slice(1) ?? number) : NO_ID,
    });
  }
  entries.sort((a, b) => a.tag - b.tag || a.id - b.id);
  const bytes = Buffer.alloc(4 + entries.length * ENTRY_BYTES);
  bytes.writeUInt32LE(VERSION, 0);
  for (const [index, { tag, rights, id }] of entries.entries()) {
    const at = 4 + index * ENTRY_BYTES;
    bytes.writeUInt16LE(tag, at);
    bytes.writeUInt16LE(rights, at + 2);
    bytes.writeUInt32LE(id, at + 4);
  }
  return bytes.toString('latin1');
}
