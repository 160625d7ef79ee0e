import { SpctError } from "../errors.js";

/** A GET over https; over http from this machine only. HF_TOKEN is sent to Hugging Face, and dropped where it redirects to
 * another host. Throws DOWNLOAD_FAILED. */
export async function request(url: string, headers: Record<string, string> = {}): Promise<Response> {
  const { protocol = "", hostname = "" } = URL.canParse(url) ? new URL(url) : {};
  if (protocol !== "https:" && !["127.0.0.1", "localhost", "[::1]"].includes(hostname))
    throw new SpctError("DOWNLOAD_FAILED", `Expected an https address but received ${url}`);
  const token = hostname === "huggingface.co" ? process.env.HF_TOKEN : undefined;
  const authorization: Record<string, string> =
    token === undefined ? {} : { authorization: `Bearer ${token}` };
  let answer: Response;
  try {
    answer = await fetch(url, { headers: { "user-agent": "spct", ...authorization, ...headers } });
  } catch (error) {
    const { cause } = error as Error;
    const why = cause instanceof Error ? cause.message : (error as Error).message;
    throw new SpctError("DOWNLOAD_FAILED", `${url} cannot be reached: ${why}`, { cause: error });
  }
  if (answer.ok) return answer;
  await answer.body?.cancel();
  const gated = answer.status === 401 || answer.status === 403 ? " (it may need a token in HF_TOKEN)" : "";
  throw new SpctError("DOWNLOAD_FAILED", `${url} answered ${answer.status}${gated}`);
}
