/** True for a host that only this machine can mean: there TLS protects nobody from anybody. */
export function isLoopback(host: string): boolean {
  return /^(localhost|\[?::1\]?|127(\.\d{1,3}){3})$/.test(host);
}
