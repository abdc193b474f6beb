import type { Page } from "playwright";

/** Sends files to a page as one drop. */
export async function drop(page: Page, ...files: { name: string; bytes: Uint8Array }[]): Promise<void> {
  const transfer = await page.evaluateHandle(
    (dropped) => {
      const data = new DataTransfer();
      for (const [name, content] of dropped) {
        data.items.add(new File([Uint8Array.from(atob(content), (letter) => letter.charCodeAt(0))], name));
      }
      return data;
    },
    files.map(({ name, bytes }) => [name, Buffer.from(bytes).toString("base64")] as const),
  );
  await page.dispatchEvent("body", "drop", { dataTransfer: transfer });
}
