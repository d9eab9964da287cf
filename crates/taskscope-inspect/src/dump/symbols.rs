//! Turns return addresses into functions, with the best names that the build's debug information
//! allows.
//!
//! An address without any symbol becomes `module+0xoffset`, which `addr2line -e module`
//! understands, unless it is in one of tokio's functions that are known without a symbol. Not here:
//! how names are found (callstack), which functions are known ([`known_functions`]).

use callstack::Symbol;

use super::Frame;
use crate::wait::known_functions;

impl Frame {
    /// The frames of return addresses, innermost first, inlined functions included.
    pub(super) fn all(addresses: &[usize]) -> Vec<Frame> {
        let mut frames = Vec::with_capacity(addresses.len() * 2);
        for &address in addresses {
            let symbols = callstack::symbolize(address);
            if symbols.iter().all(|symbol| symbol.name.is_none()) {
                frames.push(Frame::unknown(address));
            } else {
                frames.extend(symbols.iter().filter_map(|symbol| Frame::known(symbol)));
            }
        }
        frames
    }

    fn known(symbol: &Symbol) -> Option<Frame> {
        let name = symbol.name.as_ref()?;
        Some(Frame {
            function: name.clone(),
            file: symbol.file.clone(),
            line: symbol.line,
            has_symbol: true,
        })
    }

    fn unknown(address: usize) -> Frame {
        if let Some(function) = known_functions::name_at(address) {
            return Frame {
                function: function.into(),
                file: None,
                line: None,
                has_symbol: true,
            };
        }
        let instruction = address.wrapping_sub(1);
        let modules = callstack::modules();
        let module = modules
            .iter()
            .find(|module| (module.start..module.end).contains(&instruction));
        let function = match module {
            Some(module) => {
                let file = module.path.rsplit('/').next().unwrap_or(&module.path);
                let offset = instruction.wrapping_sub(module.base);
                format!("{file}+{offset:#x}")
            }
            None => format!("{instruction:#x}"),
        };
        Frame {
            function: function.into(),
            file: None,
            line: None,
            has_symbol: false,
        }
    }

    /// The path by which the function is classified: of the type, for a trait's function.
    pub(crate) fn path(&self) -> &str {
        self.function
            .trim_start_matches(['<', '&'])
            .trim_start_matches("mut ")
    }
}
