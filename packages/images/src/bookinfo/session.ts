import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto';

/** The signed cookie that remembers who logged in. The key lives as long as the process, unless given. */
const key = process.env.SESSION_KEY ?? randomBytes(32).toString('hex');
const cookieName = 'session';

const sign = (value: string): string => createHmac('sha256', key).update(value).digest('base64url');

export function loginCookie(user: string): string {
  const value = Buffer.from(user).toString('base64url');
  return `${cookieName}=${value}.${sign(value)}; HttpOnly; Path=/`;
}

export const logoutCookie = `${cookieName}=; Max-Age=0; HttpOnly; Path=/`;

/** The user of a Cookie header, or undefined where none is logged in or the signature is not ours. */
export function sessionUser(cookies: string | undefined): string | undefined {
  const found = /(?:^|;\s*)session=([\w-]+)\.([\w-]+)/.exec(cookies ?? '');
  if (!found?.[1] || !found[2]) return undefined;
  const expected = Buffer.from(sign(found[1]));
  const given = Buffer.from(found[2]);
  if (expected.length !== given.length || !timingSafeEqual(expected, given)) return undefined;
  return Buffer.from(found[1], 'base64url').toString();
}
