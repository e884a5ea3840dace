//! Opening of the device that was chosen.

use burn::tensor::Device;

use super::candidate::Candidate;
use super::check::check;
use super::open_device::{OpenDevice, name};
use super::target;
use crate::run::{DeviceChoice, DeviceReport};

/// Opens the device for `choice`, and says what the user should know of how it was chosen.
/// `Auto` never fails: it takes the CPU where no sound GPU is found.
///
/// # Errors
/// A sentence on why the device that was asked for by name cannot be used.
pub async fn open(choice: DeviceChoice) -> Result<(OpenDevice, Option<String>), String> {
    let gpu = match choice {
        DeviceChoice::Cpu => return Ok((cpu(choice), None)),
        DeviceChoice::Auto => target::AUTO,
        named => named,
    };
    match open_gpu(gpu, choice).await {
        Ok(device) => Ok((device, None)),
        Err(reason) if choice == DeviceChoice::Auto => {
            Ok((cpu(choice), Some(format!("Training on the CPU: {reason}."))))
        }
        Err(reason) => Err(format!(
            "The device `{}` cannot be used: {reason}. Choose `cpu` or `auto`.",
            name(choice)
        )),
    }
}

/// Opens the GPU with this number among those that `choice` names.
///
/// # Errors
/// A sentence on why it cannot be used.
#[cfg(feature = "cli")]
pub async fn open_number(choice: DeviceChoice, number: usize) -> Result<OpenDevice, String> {
    let found = target::find_gpu_number(choice, Some(number)).await;
    let opened = match found {
        Ok(candidate) => admit(candidate, choice, choice).await,
        Err(reason) => Err(reason),
    };
    opened.map_err(|reason| {
        format!("The device `{}:{number}` cannot be used: {reason}. Choose another.", name(choice))
    })
}

/// The current device if it is of that choice, else a newly opened one, and a notice about it.
///
/// # Errors
/// As of [`open`].
pub async fn choose(
    current: Option<&OpenDevice>,
    choice: DeviceChoice,
) -> Result<(OpenDevice, Option<String>), String> {
    match current {
        Some(device) if device.serves(choice) => Ok((device.clone(), None)),
        _ => open(choice).await,
    }
}

async fn open_gpu(gpu: DeviceChoice, asked: DeviceChoice) -> Result<OpenDevice, String> {
    let candidate = target::find_gpu(gpu).await?;
    admit(candidate, gpu, asked).await
}

/// Lets a device be used if it computes rightly.
async fn admit(
    candidate: Candidate,
    gpu: DeviceChoice,
    asked: DeviceChoice,
) -> Result<OpenDevice, String> {
    if candidate.software && asked == DeviceChoice::Auto {
        return Err(format!("the only GPU found is a software one ({})", candidate.name));
    }
    target::within_a_minute(check(&candidate.device))
        .await
        .map_err(|how| format!("{} is not used because {how}", candidate.name))?;
    Ok(OpenDevice {
        device: candidate.device,
        report: DeviceReport { kind: name(gpu).into(), name: candidate.name },
        limits: candidate.limits,
        asked,
    })
}

fn cpu(asked: DeviceChoice) -> OpenDevice {
    OpenDevice {
        device: Device::flex(),
        report: DeviceReport { kind: "cpu".into(), name: target::CPU_NAME.into() },
        limits: target::cpu_limits(),
        asked,
    }
}
