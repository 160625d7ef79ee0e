/** Where repositories are read. Other addresses serve mirrors and tests. */
export interface Hosts {
  huggingFace: string;
  gitHub: string;
  gitHubFiles: string;
}

/** HF_ENDPOINT names a mirror, as for Hugging Face's own tools. */
export function publicHosts(): Hosts {
  return {
    huggingFace: process.env.HF_ENDPOINT || "https://huggingface.co",
    gitHub: "https://api.github.com",
    gitHubFiles: "https://raw.githubusercontent.com",
  };
}
